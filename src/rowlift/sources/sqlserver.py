"""SQL Server and Azure SQL, read in a child process by Microsoft's driver or by a free one."""

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from rowlift.kit.config import ConnectorConfig, LocalPath
from rowlift.kit.drivers import load
from rowlift.kit.served import Informed
from rowlift.kit.sshconfig import SshConfig

HOST = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9.])?$|^[0-9a-fA-F:.]+$"
NAME = r"^[^\x00]+$"


class SQLServerConfig(ConnectorConfig):
    """Where the server is and who reads; nothing else reaches the driver."""

    host: str = Field(pattern=HOST, description="Host name or address, without an instance")
    port: int = Field(default=1433, ge=1, le=65535, description="Port of the instance")
    database: str = Field(pattern=NAME, description="Database of unqualified table names")
    authentication: Literal["sql_login", "entra_service_principal"] = Field(
        default="sql_login", description="Who vouches for the user: the server or Microsoft Entra"
    )
    user: str = Field(pattern=NAME, description="User, or the id of the Entra application")
    password: SecretStr = Field(description="Password, or the application's client secret")
    encrypt: Literal["optional", "yes", "strict"] = Field(
        default="yes",
        description="Encryption: if the server demands it, always, or TDS 8.0 (2022 and later)",
    )
    trust_server_certificate: bool = Field(
        default=False, description="Take any certificate, so encrypt without knowing for whom"
    )
    host_name_in_certificate: str | None = Field(
        default=None, pattern=HOST, description="Name that the certificate has instead of host"
    )
    ssl_ca: LocalPath | None = Field(
        default=None, description="File of trusted authorities; else system"
    )
    application_intent: Literal["ReadOnly", "ReadWrite"] = Field(
        default="ReadOnly", description="ReadOnly goes to a readable replica where there is one"
    )
    isolation: Literal["read_committed", "snapshot"] = Field(
        default="read_committed",
        description="snapshot sees one moment and waits for nobody, where the database allows it",
    )
    connect_timeout: float = Field(default=15, gt=0, le=3600, description="Seconds to connect")
    statement_timeout: float = Field(
        default=3600, gt=0, le=604_800, description="Seconds a query may take, reading included"
    )
    allow_unsafe_user: bool = Field(
        default=False, description="Read as a user who may touch files or administer the server"
    )
    reader: Literal["auto", "mssql-python", "python-tds"] = Field(
        default="auto", description="Driver; auto takes mssql-python, Microsoft's, if installed"
    )
    ssh: SshConfig | None = Field(
        default=None, description="An SSH server in between, which reaches host and port"
    )
    # The server may send the driver on to any other, so these are not ours to promise.
    public_only: ClassVar[bool] = False
    allow_networks: ClassVar[tuple[str, ...]] = ()

    @property
    def suits_python_tds(self) -> bool:
        """Tell whether it can connect as asked: it knows neither TDS 8.0 nor Entra."""
        return self.encrypt != "strict" and self.authentication == "sql_login"

    @model_validator(mode="after")
    def _is_within_reach(self) -> Self:
        if self.reader == "python-tds" and not self.suits_python_tds:
            raise ValueError("python-tds knows neither encrypt: strict nor Entra: use mssql-python")
        return self


class SQLServer(Informed):
    """A database of SQL Server or Azure SQL; what is read is rolled back, whatever it was."""

    Config: ClassVar[type[BaseModel]] = SQLServerConfig
    dialect: ClassVar[str] = "tsql"

    def __init__(self, config: SQLServerConfig) -> None:
        """Raise SourceError DRIVER_MISSING without the driver; connect when first asked."""
        module = load("rowlift.sources.dialects.sqlserver_server", extra="sqlserver")
        super().__init__(module.Server(config))
