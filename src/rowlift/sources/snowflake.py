"""Snowflake, read through its vendor's driver, which hands over Arrow."""

from typing import ClassVar, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from rowlift.kit.config import ConnectorConfig, LocalPath
from rowlift.kit.drivers import load
from rowlift.kit.served import Served
from rowlift.sources.dialects.snowflake_names import AccountName, host_of

HOST = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"
NAME = r"^[^\x00]+$"
PROOFS = ("private_key", "private_key_path", "password", "oauth_token", "access_token")


class SnowflakeConfig(ConnectorConfig):
    """Which account, who reads and with which warehouse; nothing else reaches the driver."""

    account: AccountName = Field(description="Account identifier, such as myorg-myaccount")
    host: str | None = Field(
        default=None, pattern=HOST, description="Host name, for a private link; else the account's"
    )
    port: int = Field(default=443, ge=1, le=65535, description="Port")
    user: str = Field(pattern=NAME, description="User, with SELECT rights only")
    private_key: SecretStr | None = Field(
        default=None, description="The user's private key: the text of a PEM file"
    )
    private_key_path: LocalPath | None = Field(
        default=None, description="The user's private key: a PEM file"
    )
    private_key_passphrase: SecretStr | None = Field(
        default=None, description="Passphrase of the private key, where it has one"
    )
    password: SecretStr | None = Field(
        default=None, description="Password; Snowflake is closing this way for services"
    )
    oauth_token: SecretStr | None = Field(default=None, description="OAuth access token")
    access_token: SecretStr | None = Field(default=None, description="Programmatic access token")
    role: str | None = Field(
        default=None, pattern=NAME, description="Role to read with; else the user's default"
    )
    warehouse: str | None = Field(
        default=None, pattern=NAME, description="Warehouse to run on; else the user's default"
    )
    database: str = Field(pattern=NAME, description="Database of unqualified table names")
    schema_name: str | None = Field(
        default=None,
        alias="schema",
        pattern=NAME,
        description="Schema of unqualified table names; else PUBLIC",
    )
    ssl_ca: LocalPath | None = Field(
        default=None, description="File of trusted authorities; else system"
    )
    connect_timeout: float = Field(
        default=60, ge=1, le=3600, description="Seconds to connect and log in"
    )
    statement_timeout: float = Field(
        default=3600, ge=1, le=604_800, description="Seconds a query may take"
    )
    allow_unsafe_user: bool = Field(
        default=False, description="Read with a role that administers the account"
    )

    @property
    def address(self) -> str:
        """Return the host that answers for the account."""
        return self.host or host_of(self.account)

    @model_validator(mode="after")
    def _has_one_proof(self) -> Self:
        given = [name for name in PROOFS if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(PROOFS)}")
        return self


class Snowflake(Served):
    """A Snowflake account; one session per question, each ended by the statement's timeout.

    Snowflake has no read-only sessions: the role's grants are the wall. Semi-structured values
    travel as JSON; times of day are carried to the microsecond.
    """

    Config: ClassVar[type[BaseModel]] = SnowflakeConfig
    dialect: ClassVar[str] = "snowflake"

    def __init__(self, config: SnowflakeConfig) -> None:
        """Raise SourceError DRIVER_MISSING without the driver; connect when first asked."""
        module = load("rowlift.sources.dialects.snowflake_account", extra="snowflake")
        super().__init__(module.Account(config))
