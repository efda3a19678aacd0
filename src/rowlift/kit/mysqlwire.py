"""The MySQL protocol through PyMySQL: values arrive as the server's own bytes."""

import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import CLIENT
from pymysql.cursors import SSCursor
from pymysql.protocol import FieldDescriptorPacket

from rowlift.kit.patience import hang_up as hang_up_socket
from rowlift.kit.reach import connected

if TYPE_CHECKING:

    class Base(pymysql.Connection[Any]):
        """The parts of PyMySQL's connection that its stubs leave out."""

        server_capabilities: int
        _sock: socket.socket | None
        _read_timeout: float

        def _request_authentication(self) -> None: ...
        def _execute_command(self, command: int, sql: str) -> None: ...
        def _read_packet(self, packet_type: type[Any] = ...) -> Any: ...

else:
    Base = pymysql.Connection
SSL_ERROR = 2026
LOST = 2013
UNREACHED = 2003
SYNTAX = 1064
COM_STMT_PREPARE = 0x16
PREPARED_HEAD = 5  # bytes: a zero and the statement's id
SOME = 64  # rows fetched between two looks at the clock
SHOW = 1.0  # seconds after which rows that come slowly are given all the same
NEVER_LONGER = 31_000_000  # seconds; the driver takes no more


class Refusal(Exception):
    """What the server or the driver said, with the server's number of it."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number
        self.message = message


class Connection(Base):
    """PyMySQL's connection, strict about encryption and address, and able to prepare a query."""

    def __init__(self, addresses: Sequence[str], **settings: Any) -> None:
        self._addresses = addresses
        super().__init__(**settings)

    def connect(self, sock: socket.socket | None = None) -> None:
        """Connect to a given address; the host is then only the name in the certificate."""
        super().connect(sock or self._reached())

    def _reached(self) -> socket.socket | None:
        for address in self._addresses:
            with suppress(OSError):
                return connected(address, self.port, self.connect_timeout)
        if self._addresses:
            raise pymysql.OperationalError(UNREACHED, "none of the addresses answers")
        return None

    def _request_authentication(self) -> None:
        """Log in; older releases of the driver would fall back to plain text by themselves."""
        if self.ssl and not self.server_capabilities & CLIENT.SSL:
            raise pymysql.OperationalError(SSL_ERROR, "the server offers no encryption")
        super()._request_authentication()

    def wait_for(self, seconds: float) -> None:
        """Give the server so long for each answer from now on."""
        self._read_timeout = min(seconds, NEVER_LONGER)

    def hang_up(self) -> None:
        """Fail, from any thread, whoever waits for the server."""
        if connected := self._sock:
            hang_up_socket(connected)

    def prepared(self, sql: str) -> list[FieldDescriptorPacket]:
        """Return the protocol's column definitions of a query."""
        self._execute_command(COM_STMT_PREPARE, sql)
        answer = self._read_packet()
        answer.advance(PREPARED_HEAD)
        columns, parameters = answer.read_uint16(), answer.read_uint16()
        if parameters:
            raise Refusal(SYNTAX, "a question mark stands for a value that nobody gives")
        found = [self._read_packet(FieldDescriptorPacket) for _ in range(columns)]
        self._read_packet()
        return found


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the driver's errors into Refusal."""
    try:
        yield
    except pymysql.MySQLError as error:
        raise _refusal(error) from None
    except (RuntimeError, ValueError, OSError, AssertionError) as error:
        # A server that breaks the protocol, or asks for a local file.
        raise Refusal(LOST, str(error)) from None


def _refusal(error: pymysql.MySQLError) -> Refusal:
    number, *words = error.args or (0,)
    if not isinstance(number, int):
        return Refusal(LOST, str(number))
    if isinstance(getattr(error, "original_exception", None), ssl.SSLError):
        number = SSL_ERROR
    return Refusal(number, str(words[0]) if words else "")


def encryption(mode: str, ca: str | None, cert: str | None, key: str | None) -> ssl.SSLContext:
    """Return what PyMySQL needs for a mode that encrypts; OSError if a file cannot be read."""
    context = ssl.create_default_context(cafile=ca)
    context.check_hostname = mode == "VERIFY_IDENTITY"
    context.verify_mode = ssl.CERT_NONE if mode == "REQUIRED" else ssl.CERT_REQUIRED
    if cert:
        context.load_cert_chain(cert, key)
    return context


def connect(  # noqa: PLR0913 - what a connection is made of
    *,
    host: str,
    port: int,
    addresses: Sequence[str],
    database: str,
    user: str,
    password: str,
    context: ssl.SSLContext | None,
    connect_timeout: float,
    read_timeout: float,
) -> Connection:
    """Connect with nothing that the server or a host name could widen: one statement, no files.

    Where there are addresses, the host's name is not looked up.
    """
    with refusals():
        connection = Connection(
            addresses,
            host=host,
            port=port,
            database=database,
            user=user,
            password=password.encode(),  # as text it would be Latin-1
            ssl=context,
            ssl_disabled=context is None,
            charset="utf8mb4",
            use_unicode=False,
            conv={},
            autocommit=None,  # the session begins its own transaction
            local_infile=False,
            connect_timeout=min(connect_timeout, NEVER_LONGER),
            read_timeout=min(connect_timeout, NEVER_LONGER),  # of the login
            write_timeout=min(connect_timeout, NEVER_LONGER),
            program_name="rowlift",
        )
    connection.wait_for(read_timeout)
    return connection


def execute(connection: Connection, sql: str) -> None:
    """Run one statement that answers nothing."""
    rows(connection, sql)


def rows(connection: Connection, sql: str) -> list[tuple[str | None, ...]]:
    """Return a short answer as texts."""
    return [tuple(record.values()) for record in records(connection, sql)]


def records(connection: Connection, sql: str) -> list[dict[str, str | None]]:
    """Return a short answer as texts by column name."""
    with refusals(), connection.cursor() as cursor:
        cursor.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        return [
            dict(zip(names, [None if v is None else v.decode() for v in row], strict=True))
            for row in cursor.fetchall()
        ]


def fields(connection: Connection, sql: str) -> list[FieldDescriptorPacket]:
    """Return what the server says of each column of a query it does not run.

    Each has name, type_code, length, scale, flags and charsetnr.
    """
    with refusals():
        return connection.prepared(sql)


class Stream:
    """A running query whose rows are fetched as they arrive."""

    def __init__(self, connection: Connection, sql: str) -> None:
        self._connection = connection
        with refusals():
            self._cursor: Any = connection.cursor(SSCursor)  # its private parts are not typed
            self._cursor.execute(sql)

    def fetchmany(self, size: int) -> Sequence[Sequence[Any]]:
        """Return at most `size` rows, fewer where they come slowly; raises Refusal also later."""
        found: list[Sequence[Any]] = []
        until = time.monotonic() + SHOW
        with refusals():
            while len(found) < size:
                some = self._cursor.fetchmany(min(SOME, size - len(found)))
                found += some
                if not some or time.monotonic() > until:
                    break
        return found

    def abandon(self) -> None:
        """Hang up without reading what is left: closing the cursor would read it all."""
        if result := self._cursor._result:  # noqa: SLF001 - no public way to leave rows unread
            result.unbuffered_active = False
        self._cursor.connection = None
        hang_up(self._connection)


def hang_up(connection: Connection) -> None:
    """Close a connection that may be closed already."""
    with suppress(pymysql.err.Error):
        connection.close()
