"""The keys of an SSH server in front of a source."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from rowlift.kit.config import ConnectorConfig, LocalPath


class SshConfig(ConnectorConfig):
    """Where the SSH server is and who logs in, by key or by password."""

    host: str = Field(min_length=1, description="Host name or address of the SSH server")
    port: int = Field(default=22, ge=1, le=65535, description="Its port")
    user: str = Field(min_length=1, description="The user there")
    private_key: LocalPath | None = Field(default=None, description="File with the user's key")
    passphrase: SecretStr = Field(default=SecretStr(""), description="What the key is locked with")
    password: SecretStr = Field(default=SecretStr(""), description="The user's password")
    known_hosts: LocalPath | None = Field(
        default=None,
        description="File with the keys of SSH servers that are trusted; else ~/.ssh/known_hosts",
    )
    connect_timeout: float = Field(default=10, gt=0, le=300, description="Seconds to connect")

    @model_validator(mode="after")
    def _can_log_in(self) -> Self:
        if not (self.private_key or self.password.get_secret_value()):
            raise ValueError("ssh needs a private_key or a password")
        return self
