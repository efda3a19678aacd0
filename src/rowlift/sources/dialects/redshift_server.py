"""One Redshift database: a connection for each thing that is asked, queries that can be stopped."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any
from weakref import finalize

import pyarrow as pa

from rowlift.core.errors import ConnectError, SourceError
from rowlift.core.nouns import Column, Finding, Table
from rowlift.kit.dbapi import batches, field
from rowlift.kit.pgcheck import Checkup, denied, unreachable, unsafe_user
from rowlift.kit.pgerrors import Explainer
from rowlift.kit.reach import Reach
from rowlift.kit.running import Queries, Running
from rowlift.kit.sqlguard import GuardedQuery, guard
from rowlift.sources.dialects import redshift as data
from rowlift.sources.dialects import redshift_wire as wire
from rowlift.sources.dialects.redshift_login import Login, login_of
from rowlift.sources.dialects.redshift_session import Session
from rowlift.sources.dialects.redshift_types import Type, listed

if TYPE_CHECKING:
    from rowlift.sources.redshift import RedshiftConfig

PATIENCE = 10.0  # seconds beyond the statement's own limit until a silent server counts as lost
TOO_LONG = wire.Diagnosis("its rows took too long")


class Server:
    """Asks on a connection of its own each time, so that several queries may run at once."""

    def __init__(self, config: "RedshiftConfig") -> None:
        self._config = config
        self._reach = Reach(config)
        self._login: Login = login_of(config)
        self._explain = Explainer(data.REDSHIFT, _facts(config), self._login.secrets)
        self._queries = Queries()
        self._stopping = threading.Lock()  # two at once would stop each other's statement

    def check(self) -> Iterator[Finding]:
        """Test step by step how far one gets."""
        try:
            with self.session() as session:
                yield from Checkup(session, self._config).findings()
        except ConnectError as error:
            yield from unreachable(error)

    def describe(self, sql: str) -> list[Column]:
        """Return the columns of a query."""
        guarded = guard(sql, "redshift")
        with self.session() as session:
            return [column for column, _ in self._columns(session, guarded)]

    def query(self, sql: str, limit: int | None) -> pa.RecordBatchReader:
        """Begin a query; its first rows are read when asked for."""
        guarded = guard(sql, "redshift")
        cancels = self._queries.cancels
        with self.session(keep=True) as session:
            self._refuse_unsafe_user(session)
            columns = self._columns(session, guarded)
            reader = Reader(session, columns, _limited(guarded, limit), self._config)
        running = Running(reader, partial(self.stop, reader), session.plain_errors)
        self._queries.add(running, cancels)
        return pa.RecordBatchReader.from_batches(reader.schema, running.batches())

    def catalog(self) -> list[Table]:
        """Return what the user may see."""
        with self.session() as session:
            found = session.rows(data.CATALOG)
        return [
            Table(schema, name, tuple(listed(*row[3:]) for row in rows), estimate)
            for (schema, name, estimate), rows in groupby(found, key=lambda row: row[:3])
        ]

    def now(self) -> int:
        """Return the server's clock."""
        with self.session() as session:
            ((seconds,),) = session.rows(data.NOW)
            return int(seconds)

    def cancel(self) -> None:
        """Stop every query that runs, or is about to."""
        self._queries.cancel()

    def close(self) -> None:
        """Stop every query and hang up."""
        self._queries.close()
        self._reach.close()

    def stop(self, reader: "Reader") -> None:
        """Stop a reader's statement on the server, from a connection of our own."""
        if reader.waits:
            with self._stopping, self.session(patience=self._config.connect_timeout) as session:
                session.rows(data.CANCEL.format(pid=reader.pid))

    def _columns(self, session: Session, guarded: GuardedQuery) -> list[tuple[Column, Type]]:
        session.execute(data.BEGIN)
        try:
            found = session.columns(guarded.sql)
        except SourceError as error:
            raise self._told(session, guarded, error) from None
        if not found:
            raise SourceError("QUERY_FAILED", "The query gives no columns.", mend="Select some.")
        return found

    def _told(self, session: Session, guarded: GuardedQuery, error: SourceError) -> SourceError:
        """Return an error with the tables that may not be read, if that is what it is about."""
        if error.code == "PERMISSION_DENIED":
            with suppress(SourceError):  # what it is about is worth more than why it is not known
                return denied(session, session.denied(guarded.tables), error)
        return error

    def _refuse_unsafe_user(self, session: Session) -> None:
        if not self._config.allow_unsafe_user:
            reasons = [reason for (reason,) in session.rows(data.UNSAFE)]
            if reasons:
                raise unsafe_user(self._config.user, reasons)

    @contextmanager
    def session(self, *, keep: bool = False, patience: float = 0) -> Iterator[Session]:
        """Give a session that was set up; it is kept only where nothing fails.

        `patience` is how long each answer may take, in seconds; 0 is as long as a query may.
        """
        connection = self._connected(patience or self._config.statement_timeout + PATIENCE)
        try:
            session = Session(connection, self._explain, self._begun(connection))
            yield session
            if not keep:
                wire.hang_up(connection)
        except BaseException:
            wire.hang_up(connection)
            raise

    def _connected(self, patience: float) -> wire.Connection:
        config = self._config
        user, password = self._login.credentials()
        try:
            return wire.connect(
                host=config.host,
                way=self._reach.way(),
                database=config.database,
                user=user,
                password=password,
                sslmode=config.sslmode,
                connect_timeout=config.connect_timeout,
                read_timeout=patience,
            )
        except (wire.Refusal, OSError) as error:
            raise self._explain.connecting(error) from None

    def _begun(self, connection: wire.Connection) -> int:
        try:
            timeout = self._config.statement_timeout * 1000
            ((pid, *_),) = wire.rows(connection, data.START.format(timeout=timeout))
            return int(pid)
        except wire.Refusal as refusal:
            raise self._explain.running(refusal) from None


class Reader:
    """Reads one query, on the connection that described it."""

    def __init__(
        self,
        session: Session,
        columns: Sequence[tuple[Column, Type]],
        sql: str,
        config: "RedshiftConfig",
    ) -> None:
        self.pid = session.pid
        self.waits = False  # for the server, which then has something to be stopped
        self.schema = pa.schema([field(column, read.arrow) for column, read in columns])
        self._converts = [read.convert for _, read in columns]
        self._connection = session.connection
        self._sql = sql
        self._most_rows = config.fetch_rows
        self._until = time.monotonic() + config.statement_timeout
        finalize(self, wire.hang_up, session.connection)  # should nobody ever read

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the result page by page; raises Refusal."""
        self.waits = True
        wire.execute(self._connection, data.DECLARE.format(sql=self._sql))
        yield from batches(self, self.schema, self._converts)

    def fetchmany(self, size: int) -> Sequence[Sequence[Any]]:
        """Return the next page, empty at the end."""
        if time.monotonic() > self._until:
            raise wire.Refusal("57014", TOO_LONG)
        self.waits = True
        page = data.PAGE.format(rows=min(size, self._most_rows))
        found = wire.rows(self._connection, page)
        self.waits = False
        return found

    def kill(self) -> None:
        """Hang up: on a slow network the server's answer would come late."""
        self._connection.hang_up()

    def close(self) -> None:
        """Hang up, whatever is left to read."""
        wire.hang_up(self._connection)


def _limited(guarded: GuardedQuery, limit: int | None) -> str:
    """Return what to read: as it stands where it can be, since its order is then kept."""
    if limit is None:
        return guarded.sql
    return data.LIMITED.format(sql=guarded.sql, limit=int(limit))


def _facts(config: "RedshiftConfig") -> Mapping[str, str]:
    return {
        "host": config.host,
        "port": str(config.port),
        "user": config.user,
        "database": config.database,
        "timeout": str(config.statement_timeout),
    }
