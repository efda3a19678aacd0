"""Sessions on a PostgreSQL-like server: every transaction is read-only and set up the same."""

import select
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from rowlift.core.nouns import Column
from rowlift.kit.patience import hung_up_after
from rowlift.kit.pgdialect import PgDialect, Reading, Server
from rowlift.kit.pgerrors import Explainer

PREFIX = "SELECT * FROM (\n"
SILENCE_AFTER_TIMEOUT = 10  # seconds the server has to report its own timeout


@dataclass(frozen=True, slots=True)
class Described:
    """The output columns of a query and how each is read."""

    columns: tuple[Column, ...]
    readings: tuple[Reading, ...]


class PgSession:
    """One connection, opened when first used and again when it broke."""

    def __init__(
        self,
        dialect: PgDialect,
        parameters: Callable[[], Mapping[str, str]],
        explain: Explainer,
        statement_timeout: int,
    ) -> None:
        self.dialect = dialect
        self.explain = explain
        self._parameters = parameters
        self._statement_timeout = statement_timeout
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Return the open connection; raises ConnectError."""
        found = self._connection
        if found and _is_usable(found):
            return found
        self.close()
        try:
            self._connection = psycopg.connect(
                make_conninfo("", **self._parameters()), autocommit=True, prepare_threshold=None
            )
        except (psycopg.Error, OSError) as error:
            raise self.explain.connecting(error) from None
        return self._connection

    @contextmanager
    def reading(self) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
        """Open a read-only transaction and end it; raises SourceError for what fails within."""
        connection = None
        try:
            connection = self._begun()
            with self._patient(connection), connection.cursor() as cursor:
                yield cursor
        except psycopg.Error as error:
            raise self.explain.running(error) from None
        finally:
            if connection is not None and not connection.closed:
                connection.rollback()

    def _begun(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Begin a transaction; a connection that died while nobody used it is replaced."""
        kept = self._connection
        connection = self.connect()
        with self._patient(connection) as gave_up:
            try:
                begin(connection, self.dialect, self._statement_timeout)
                return connection
            except psycopg.OperationalError:
                died_idle = connection is kept and connection.closed and not gave_up.is_set()
                if not died_idle:
                    raise
        self.close()
        return self._begun()

    def _patient(
        self, connection: psycopg.Connection[tuple[Any, ...]]
    ) -> AbstractContextManager[threading.Event]:
        silence = self._statement_timeout + SILENCE_AFTER_TIMEOUT
        return hung_up_after(silence, connection.fileno())

    def rows(self, sql: str, *parameters: Any) -> Sequence[tuple[Any, ...]]:
        """Ask one of the dialect's own questions in a transaction of its own."""
        with self.reading() as cursor:
            return cursor.execute(sql.encode(), parameters or None).fetchall()

    def server(self) -> Server:
        """Return what the server says of itself."""
        (row,) = self.rows(self.dialect.questions.server)
        return Server(*row)

    def describe(self, sql: str) -> Described:
        """Return what a query gives, names as they come, without reading a row."""
        with self.reading() as cursor:
            shape = self._shape(cursor, sql)
            cursor.execute(
                self.dialect.questions.types.encode(),
                ([oid for _, oid, _ in shape], [modifier for _, _, modifier in shape]),
            )
            return self._described([name for name, _, _ in shape], cursor.fetchall())

    def _shape(
        self, cursor: psycopg.Cursor[tuple[Any, ...]], sql: str
    ) -> list[tuple[str, int, int]]:
        try:  # binary: the extended protocol, in which the server refuses a second statement
            cursor.execute(f"{PREFIX}{sql}\n) AS q LIMIT 0".encode(), binary=True)
        except psycopg.Error as error:
            raise self.explain.describing(error, sql, len(PREFIX)) from None
        result = cursor.pgresult
        assert result  # noqa: S101 - psycopg has one after every statement
        return [
            ((result.fname(i) or b"").decode(errors="replace"), result.ftype(i), result.fmod(i))
            for i in range(result.nfields)
        ]

    def _described(self, names: list[str], types: list[tuple[Any, ...]]) -> Described:
        readings = tuple(self.dialect.reading(oid, category) for oid, _, category in types)
        columns = (
            Column(name, type_name, reading.value_type)
            for name, (_, type_name, _), reading in zip(names, types, readings, strict=True)
        )
        return Described(tuple(columns), readings)

    def has_character_set(self) -> bool:
        """Tell whether the server knows what its bytes mean."""
        return self.connect().info.parameter_status("server_encoding") != "SQL_ASCII"

    def cancel(self) -> None:
        if self._connection:
            cancel(self._connection)

    def close(self) -> None:
        if self._connection:
            self._connection.close()


def _is_usable(connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
    """Tell whether a connection is idle and quiet; a server that left has said something."""
    if connection.closed or connection.info.transaction_status is not TransactionStatus.IDLE:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


def begin(
    connection: psycopg.Connection[tuple[Any, ...]], dialect: PgDialect, statement_timeout: int
) -> None:
    """Begin a read-only transaction with all limits set; its snapshot is taken here."""
    connection.execute(f"BEGIN {dialect.begin}".encode())
    connection.execute(dialect.local_settings(statement_timeout).encode())


def cancel(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Stop what runs on a connection, from any thread; a connection that is gone is fine."""
    if not connection.closed:
        try:
            connection.cancel_safe(timeout=5)
        except psycopg.Error:
            return
