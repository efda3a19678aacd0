"""MySQL and MariaDB: PyMySQL always, connectorx in a child process where it is installed."""

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from rowlift.kit.config import ConnectorConfig, LocalPath
from rowlift.kit.drivers import load
from rowlift.kit.fields import OpenNetworks, PublicOnly
from rowlift.kit.served import Informed
from rowlift.kit.sshconfig import SshConfig

HOST = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9.])?$|^[0-9a-fA-F:.]+$"
NAME = r"^[^\x00]+$"


class MySQLConfig(ConnectorConfig):
    """Where the server is and who reads; nothing else reaches the driver."""

    host: str = Field(pattern=HOST, description="Host name or address; no socket paths")
    port: int = Field(default=3306, ge=1, le=65535, description="Port")
    database: str = Field(pattern=NAME, description="Database of unqualified table names")
    user: str = Field(pattern=NAME, description="User, with SELECT rights only")
    password: SecretStr = Field(default=SecretStr(""), description="Password")
    ssl_mode: Literal["DISABLED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"] = Field(
        default="REQUIRED", description="Encryption, and what of the server is verified"
    )
    ssl_ca: LocalPath | None = Field(
        default=None, description="File of trusted authorities; else system"
    )
    ssl_cert: LocalPath | None = Field(default=None, description="File of our own certificate")
    ssl_key: LocalPath | None = Field(default=None, description="File of our own key")
    connect_timeout: float = Field(default=10, gt=0, le=3600, description="Seconds to connect")
    statement_timeout: float = Field(
        default=3600, gt=0, le=604_800, description="Seconds a query may take, reading included"
    )
    allow_unsafe_user: bool = Field(
        default=False, description="Read as a user who may touch files or administer the server"
    )
    reader: Literal["auto", "pymysql", "connectorx"] = Field(
        default="auto", description="Driver for whole results; auto takes the fastest that is safe"
    )
    tinyint1: Literal["int", "bool"] = Field(
        default="int", description="What tinyint(1) columns hold; as bool, 2 becomes a row's fault"
    )
    ssh: SshConfig | None = Field(
        default=None, description="An SSH server in between, which reaches host and port"
    )
    public_only: PublicOnly = False
    allow_networks: OpenNetworks = ()

    @property
    def suits_connectorx(self) -> bool:
        """Tell whether it can connect as asked: it goes by the address, and has no key to show."""
        by_address = self.public_only or self.ssh is not None
        return not (self.ssl_cert or (by_address and self.ssl_mode == "VERIFY_IDENTITY"))

    @model_validator(mode="after")
    def _is_within_reach(self) -> Self:
        if self.reader == "connectorx" and not self.suits_connectorx:
            raise ValueError(
                "connectorx knows neither ssl_cert nor, with public_only or ssh, VERIFY_IDENTITY"
            )
        return self


class MySQL(Informed):
    """A MySQL or MariaDB server, read in one consistent snapshot per query."""

    Config: ClassVar[type[BaseModel]] = MySQLConfig
    dialect: ClassVar[str] = "mysql"

    def __init__(self, config: MySQLConfig) -> None:
        """Raise SourceError DRIVER_MISSING without the driver; connect when first asked."""
        module = load("rowlift.sources.dialects.mysql_server", extra="mysql")
        super().__init__(module.Server(config))
