"""The configuration of a source over PostgreSQL's protocol; libpq sees nothing but these fields."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from rowlift.kit.config import ConnectorConfig, LocalPath
from rowlift.kit.fields import OpenNetworks, PublicOnly
from rowlift.kit.reach import Way
from rowlift.kit.sshconfig import SshConfig

SslMode = Literal["disable", "require", "verify-ca", "verify-full"]
_NAME = re.compile(r"(?!.{254})[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")

# Not the user's to choose; a dead network is noticed within a minute.
FIXED = {
    "application_name": "rowlift",
    "client_encoding": "UTF8",
    "gssencmode": "disable",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}


def is_address(host: str) -> bool:
    """Tell whether a host is an IPv4 or IPv6 address."""
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    return host == "localhost" or (is_address(host) and ip_address(host).is_loopback)


def _one_host(host: str) -> str:
    if not (is_address(host) or _NAME.fullmatch(host)):
        raise ValueError("give one host name or address, without port, path or options")
    return host


def _plain(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL character")
    return text


def _plain_secret(secret: SecretStr) -> SecretStr:
    _plain(secret.get_secret_value())
    return secret


Host = Annotated[str, AfterValidator(_one_host)]
Text = Annotated[str, Field(min_length=1), AfterValidator(_plain)]
Secret = Annotated[SecretStr, AfterValidator(_plain_secret)]


class PgConfig(ConnectorConfig):
    """Where the server is, who logs in, and how long a query may take."""

    host: Host = Field(description="Host name or IP address of the server")
    port: int = Field(default=5432, ge=1, le=65535, description="TCP port of the server")
    database: Text = Field(description="Name of the database")
    user: Text = Field(description="A user that may only SELECT")
    password: Secret = Field(default=SecretStr(""), description="The user's password")
    sslmode: SslMode | None = Field(
        default=None,
        description="disable; require encrypts only; verify-ca checks the certificate; verify-full "
        "also its host name. Without it: verify-full where sslrootcert is given, disable for this "
        "very machine, otherwise require. Never weaker than what it says",
    )
    sslrootcert: LocalPath | None = Field(
        default=None,
        description="File with the authority's certificate; without it verify-full trusts the "
        "system's authorities",
    )
    sslcert: LocalPath | None = Field(default=None, description="File with a client certificate")
    sslkey: LocalPath | None = Field(
        default=None, description="File with the client certificate's key"
    )
    connect_timeout: int = Field(default=10, ge=2, le=300, description="Seconds to connect")
    statement_timeout: int = Field(
        default=3600,
        ge=1,
        le=86400,
        description="Seconds a query may take, the reading of its rows included",
    )
    allow_unsafe_user: bool = Field(
        default=False,
        description="Take a superuser or a user with file, program or replication rights, which a "
        "read-only session cannot contain",
    )
    reader: Literal["auto", "copy", "adbc"] = Field(
        default="auto",
        description="adbc is faster and an extra; auto takes it where it is installed",
    )

    ssh: SshConfig | None = Field(
        default=None, description="An SSH server in between, which reaches host and port"
    )
    public_only: PublicOnly = False
    allow_networks: OpenNetworks = ()

    @model_validator(mode="after")
    def _can_verify(self) -> Self:
        if self.sslmode == "verify-ca" and not self.sslrootcert:
            raise ValueError("sslmode: verify-ca needs sslrootcert")
        return self

    @property
    def tls(self) -> SslMode:
        """Return the TLS mode in force."""
        if self.sslmode:
            return self.sslmode
        if self.sslrootcert:
            return "verify-full"
        return "disable" if is_loopback(self.host) else "require"

    def parameters(self, way: Way | None = None) -> Mapping[str, str]:
        """Return libpq's parameters, the password among them; without a way, straight ones."""
        addresses = way.addresses if way else ()
        trusted = self.sslrootcert or ("system" if self.tls == "verify-full" else None)
        files = {"sslrootcert": trusted, "sslcert": self.sslcert, "sslkey": self.sslkey}
        optional = {"hostaddr": ",".join(addresses), **files}
        return {
            **FIXED,
            "host": ",".join([self.host] * max(len(addresses), 1)),  # a name for each address
            "port": str(way.port if way else self.port),
            "dbname": self.database,
            "user": self.user,
            "password": self.password.get_secret_value(),
            "sslmode": self.tls,
            "connect_timeout": str(self.connect_timeout),
            **{name: str(value) for name, value in optional.items() if value},
        }
