"""The fast reader: binary COPY decoded by ADBC's driver, for columns that were cast beforehand."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import adbc_driver_postgresql
import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_manager import AdbcConnection, AdbcDatabase, Error, dbapi
from adbc_driver_postgresql import StatementOptions

from rowlift.core.values import EPOCH
from rowlift.kit.patience import hang_up_marked, new_mark, patient
from rowlift.kit.pgdialect import PgDialect

MOST_KNOWN = 8  # servers
BATCH_BYTES = 4_000_000
CANCEL_SECONDS = 2.0  # until a server that answers no cancel and no farewell is hung up on


@dataclass(frozen=True, slots=True)
class Server:
    """What the driver learnt of a server's types, for one connection at a time.

    It asks for all of them whenever it is told of a server: 35 ms of CPU. It need not know what
    has come since, for only types that every server has are read with it. `mark` is its sockets'.
    """

    parameters: Mapping[str, str]
    mark: int
    database: AdbcDatabase

    @classmethod
    def of(cls, parameters: Mapping[str, str], mark: int) -> "Server":
        """Ask a server for its types; raises adbc_driver_manager.Error."""
        options = {**parameters, "tcp_user_timeout": str(mark)}
        uri = "postgresql:///?" + urlencode(options, quote_via=quote)
        return cls(dict(parameters), mark, adbc_driver_postgresql.connect(uri))

    def connect(self) -> dbapi.Connection:
        """Log in; raises adbc_driver_manager.Error, and is of no use after it."""
        lasting: Any = _Lasting()
        with ExitStack() as opened:
            opened.callback(self.database.close)
            connection = opened.enter_context(AdbcConnection(self.database))
            found = dbapi.Connection(lasting, connection)
            opened.pop_all()
        return found


class _Lasting:
    """Stands for a database that does not end with its connection."""

    def close(self) -> None: ...


_KNOWN: list[Server] = []
_KNOWN_LOCK = threading.Lock()


def _take(parameters: Mapping[str, str]) -> Server | None:
    """Return a known server that nobody uses, or nothing."""
    with _KNOWN_LOCK:
        found = next((one for one in _KNOWN if one.parameters == parameters), None)
        if found:
            _KNOWN.remove(found)
        return found


def _keep(server: Server) -> None:
    """Let others use a server, instead of the one that nobody has used for longest."""
    with _KNOWN_LOCK:
        _KNOWN.append(server)
        gone = [_KNOWN.pop(0) for _ in range(len(_KNOWN) - MOST_KNOWN)]
    for one in gone:
        one.database.close()


class AdbcStream:
    """The batches of one query, over a connection of its own in a read-only transaction.

    Building it raises adbc_driver_manager.Error when it cannot connect, starting it when the query
    fails; a late error of the server comes as an OSError or ArrowException without an SQLSTATE. The
    server may be silent for `silence` seconds; the driver itself would wait for ever.
    """

    def __init__(
        self, parameters: Mapping[str, str], query: str, schema: pa.Schema, silence: float
    ) -> None:
        self.cancelled = False
        self._query = query
        self._schema = schema
        self._silence = silence
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._ending = threading.Lock()
        self._is_over = False
        known = _take(parameters)
        self._mark = known.mark if known else new_mark()
        with self._patient():
            self._server = known or Server.of(parameters, self._mark)
            self._connection = self._server.connect()
        self._cursor = self._connection.cursor()

    def start(self, dialect: PgDialect, statement_timeout: int) -> None:
        """Begin the transaction, send the query and wait for its first rows."""
        size = {StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(BATCH_BYTES)}
        with self._patient():
            self._cursor.execute(f"SET {dialect.begin}")
            self._cursor.execute(dialect.local_settings(statement_timeout))
            self._cursor.fetchall()
            self._cursor.adbc_statement.set_options(**size)
            self._cursor.execute(self._query)
            self._batches = iter(self._cursor.fetch_record_batch())

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while batch := self._next():
            columns = [_counted(column) for column in batch.columns]
            yield pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def cancel(self) -> None:
        """Stop the query on the server, and hang up; a query that has ended is fine."""
        with self._ending:
            if self._is_over:  # the mark may be somebody else's by now
                return
            self.cancelled = True
        asking = threading.Thread(target=self._cancel, daemon=True)
        asking.start()
        asking.join(CANCEL_SECONDS)
        hang_up_marked(self._mark)

    def close(self) -> None:
        """End the query, finished or not."""
        with patient(CANCEL_SECONDS, partial(hang_up_marked, self._mark)):
            self._cursor.close()
            self._connection.close()
        with self._ending:
            is_first, self._is_over = not self._is_over, True
        if is_first and self.cancelled:
            self._server.database.close()
        elif is_first:
            _keep(self._server)

    def _next(self) -> pa.RecordBatch | None:
        with self._patient():
            return next(self._batches, None)

    def _patient(self) -> AbstractContextManager[None]:
        return patient(self._silence, partial(hang_up_marked, self._mark))

    def _cancel(self) -> None:
        try:
            self._connection.adbc_cancel()
        except Error:
            return


def _counted(column: pa.Array) -> pa.Array:
    """Return moments as PostgreSQL counts them: the driver's count from 1970 wraps around."""
    if not pa.types.is_timestamp(column.type):
        return column
    return pc.subtract(column.view(pa.int64()), pa.scalar(EPOCH))
