"""Amazon Redshift, provisioned or serverless, through Amazon's own driver."""

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from rowlift.kit.config import ConnectorConfig
from rowlift.kit.drivers import load
from rowlift.kit.fields import OpenNetworks, PublicOnly
from rowlift.kit.pgconfig import Host, Secret, Text
from rowlift.kit.served import Served
from rowlift.kit.sshconfig import SshConfig
from rowlift.sources.dialects.redshift_identity import IamConfig


class RedshiftConfig(ConnectorConfig):
    """Where the cluster or workgroup is and who reads; nothing else reaches the driver."""

    host: Host = Field(description="Host name of the endpoint")
    port: int = Field(default=5439, ge=1, le=65535, description="TCP port of the endpoint")
    database: Text = Field(description="Name of the database")
    user: str = Field(
        default="",
        pattern=r"^[^\x00]*$",
        description="A user that may only SELECT; with iam without it, the user of the identity",
    )
    password: Secret = Field(default=SecretStr(""), description="The user's password")
    iam: IamConfig | None = Field(default=None, description="An AWS identity instead of a password")
    sslmode: Literal["disable", "verify-ca", "verify-full"] = Field(
        default="verify-full",
        description="verify-ca checks the certificate, verify-full also its host name; Amazon's "
        "and the system's authorities are trusted",
    )
    connect_timeout: float = Field(default=10, gt=0, le=300, description="Seconds to connect")
    statement_timeout: int = Field(
        default=3600,
        ge=1,
        le=86400,
        description="Seconds a query may take, the reading of its rows included",
    )
    fetch_rows: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="Rows asked for at once; a cluster of one node gives no more than 1000",
    )
    allow_unsafe_user: bool = Field(
        default=False, description="Take a superuser, whom a read-only session cannot contain"
    )
    ssh: SshConfig | None = Field(
        default=None, description="An SSH server in between, which reaches host and port"
    )
    public_only: PublicOnly = False
    allow_networks: OpenNetworks = ()

    @property
    def tls(self) -> str:
        """Return the TLS mode in force."""
        return self.sslmode

    @model_validator(mode="after")
    def _can_log_in(self) -> Self:
        if self.iam is None and not self.user:
            raise ValueError("a password needs a user")
        if self.iam and self.password.get_secret_value():
            raise ValueError("give a password or iam, not both")
        if self.iam and self.sslmode == "disable":
            raise ValueError("with iam the connection must be encrypted")
        return self


class Redshift(Served):
    """A Redshift database, read through a cursor in a read-only transaction per query.

    Numbers, truth values and texts come as they are; whatever Arrow has no exact type for travels
    as the server writes it in UTC, SUPER as JSON, VARBYTE as hexadecimal.
    """

    Config: ClassVar[type[BaseModel]] = RedshiftConfig
    dialect: ClassVar[str] = "redshift"

    def __init__(self, config: RedshiftConfig) -> None:
        """Raise SourceError DRIVER_MISSING without the driver; connect when first asked."""
        module = load("rowlift.sources.dialects.redshift_server", extra="redshift")
        super().__init__(module.Server(config))
