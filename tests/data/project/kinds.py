"""Connector configurations as small as they can be and still have every shape."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from rowlift.kit.config import ConnectorConfig
from rowlift.project.files import ConnectorKinds

FOLDER = Path(__file__).parent


class Warehouse(ConnectorConfig):
    """A database server."""

    host: str = Field(description="Host name or address")
    database: str = Field(description="Name of the database")
    user: str = Field(description="A user that may only SELECT")
    port: int = Field(5432, description="TCP port", ge=1, le=65535)
    password: SecretStr | None = Field(None, description="The user's password")
    ca_file: Path | None = Field(None, description="Certificates that are trusted")
    verify: bool = Field(default=True, description="Check the certificate")

    @model_validator(mode="after")
    def not_root(self):
        if self.user == "root":
            raise ValueError("user root cannot be used")
        return self


class Tool(ConnectorConfig):
    """A tool with a key, rotated keys and headers."""

    write_key: SecretStr = Field(description="Write key", min_length=4)
    region: Literal["us", "eu"] = Field("us", description="Region")
    keys: tuple[SecretStr, ...] = Field((), description="Older keys")
    headers: dict[str, SecretStr] = Field({}, description="Request headers")

    @field_validator("write_key")
    @classmethod
    def talkative(cls, key):
        if key.get_secret_value().startswith("bad"):
            raise ValueError(f"must not be {key.get_secret_value()}")
        return key


KINDS = ConnectorKinds({"postgres": Warehouse}, {"segment": Tool})
