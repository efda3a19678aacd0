"""The Redshift protocol through Amazon's driver: values arrive as the server writes them."""

import socket
import ssl
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import redshift_connector
from redshift_connector.config import FC_TEXT, ClientProtocolVersion
from redshift_connector.error import Error
from redshift_connector.utils.type_utils import text_recv
from scramp import ScramException

from rowlift.kit.patience import hang_up as hang_up_socket
from rowlift.kit.reach import Way, connected

if TYPE_CHECKING:

    class Base:
        """The parts of the driver's connection that are used."""

        autocommit: bool
        redshift_types: Any

        def __init__(self, **settings: Any) -> None: ...
        def cursor(self) -> Any: ...
        def close(self) -> None: ...

else:
    Base = redshift_connector.Connection

BINARY = (16, 20, 21, 23, 26, 700, 701)  # bool, integers, oid and floats lose nothing that way
KEEPALIVE = {"tcp_keepalive_idle": 30, "tcp_keepalive_interval": 10, "tcp_keepalive_count": 3}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The parts of what the server says of an error."""

    message_primary: str = ""
    message_hint: str = ""
    statement_position: str = ""


class Refusal(Exception):
    """What the server or the driver said; without an SQLSTATE it was not the server."""

    def __init__(self, sqlstate: str, diag: Diagnosis) -> None:
        super().__init__(diag.message_primary)
        self.sqlstate = sqlstate
        self.diag = diag


class Shape(NamedTuple):
    """A column of a result as the server describes it."""

    name: str
    oid: int
    modifier: int


class Connection(Base):
    """The driver's connection, over a socket of ours and never content with half a message."""

    def __init__(self, reached: socket.socket, **settings: Any) -> None:
        self._reached = reached
        try:
            # A path keeps the driver from looking the host up; the socket is ours all the same.
            super().__init__(unix_sock="-", **settings)
        except BaseException:
            self.hang_up()
            self._usock.close()
            raise
        kept = {oid: self.redshift_types[oid] for oid in BINARY}
        self.redshift_types = defaultdict(lambda: (FC_TEXT, text_recv), kept)
        self.autocommit = True

    @property
    def _usock(self) -> socket.socket:
        return self._reached

    @_usock.setter
    def _usock(self, made: socket.socket) -> None:
        if made.family == socket.AF_UNIX:
            made.close()
        else:
            self._reached = made  # with encryption around it

    @property
    def _read(self) -> Any:
        return self._read_whole

    @_read.setter
    def _read(self, read: Any) -> None:
        self._read_some = read

    def _read_whole(self, size: int) -> bytes:
        found: bytes = self._read_some(size)
        if len(found) < size:  # the driver would take it for a whole message
            raise OSError("connection lost")
        return found

    def wait_for(self, seconds: float) -> None:
        """Give the server so long for each answer from now on."""
        self._usock.settimeout(seconds)

    def hang_up(self) -> None:
        """Fail, from any thread, whoever waits for the server."""
        hang_up_socket(self._usock)

    @property
    def tls_version(self) -> str | None:
        """Return the version of TLS; none without it."""
        return self._usock.version() if isinstance(self._usock, ssl.SSLSocket) else None

    @property
    def cipher(self) -> str | None:
        """Return the name of the cipher; none without TLS."""
        found = self._usock.cipher() if isinstance(self._usock, ssl.SSLSocket) else None
        return found[0] if found else None


class _Reached(socket.socket):
    """A socket that is connected already."""

    def connect(self, address: Any, /) -> None:
        """Do nothing."""


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the driver's errors into Refusal."""
    try:
        yield
    except (Error, ScramException) as error:
        raise _refusal(error) from None
    except (OSError, ValueError, LookupError, AttributeError, TypeError, struct.error) as error:
        # The network, a server that breaks the protocol, or a connection closed meanwhile.
        raise _lost(str(error)) from None


def _refusal(error: Exception) -> Refusal:
    said, *causes = error.args or ("",)
    if not isinstance(said, dict):
        return _lost(": ".join(map(str, (said, *causes))))
    position = said.get("P", "")
    return Refusal(said.get("C", ""), Diagnosis(said.get("M", ""), said.get("H", ""), position))


def _lost(why: str) -> Refusal:
    return Refusal("", Diagnosis(f"connection lost: {why}"))


def connect(  # noqa: PLR0913 - what a connection is made of
    *,
    host: str,
    way: Way,
    database: str,
    user: str,
    password: str,
    sslmode: str,
    connect_timeout: float,
    read_timeout: float,
) -> Connection:
    """Connect and log in; the certificate must have the host's name, whatever the way."""
    with refusals():
        connection = Connection(
            _first(way.addresses or (host,), way.port, connect_timeout),
            host=host,
            database=database,
            user=user,
            password=password,
            ssl=sslmode != "disable",
            sslmode=sslmode,
            timeout=connect_timeout,
            application_name="rowlift",
            client_protocol_version=ClientProtocolVersion.BASE_SERVER,
            **KEEPALIVE,
        )
        connection.wait_for(read_timeout)
        return connection


def _first(addresses: Sequence[str], port: int, seconds: float) -> socket.socket:
    for address in addresses[:-1]:
        with suppress(OSError):
            return _reached(address, port, seconds)
    return _reached(addresses[-1], port, seconds)


def _reached(address: str, port: int, seconds: float) -> socket.socket:
    return _Reached(fileno=connected(address, port, seconds).detach())


def hang_up(connection: Connection) -> None:
    """Close a connection that may be closed already."""
    with suppress(Error, OSError, ValueError):
        connection.close()


def execute(connection: Connection, sql: str) -> None:
    """Run one statement that answers nothing."""
    with refusals():
        connection.cursor().execute(sql)


def rows(connection: Connection, sql: str, *parameters: Any) -> Sequence[Sequence[Any]]:
    """Return what a statement answers; the driver holds all of it."""
    with refusals():
        cursor = connection.cursor()
        cursor.execute(sql, parameters or None, merge_socket_read=True)  # half as many reads
        found: Sequence[Sequence[Any]] = cursor.fetchall()
        return found


def shape(connection: Connection, sql: str) -> list[Shape]:
    """Run a query without rows and return what its columns are."""
    with refusals():
        cursor = connection.cursor()
        cursor.execute(sql)
        described = cursor.ps["row_desc"]
        return [Shape(f["label"].decode(), f["type_oid"], f["type_modifier"]) for f in described]
