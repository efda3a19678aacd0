"""The fast reader: binary COPY decoded by ADBC's driver, for columns that were cast beforehand."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from urllib.parse import quote, urlencode

import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_manager import Error
from adbc_driver_postgresql import StatementOptions, dbapi

from rowlift.core.values import EPOCH
from rowlift.kit.patience import hang_up_marked, new_mark, patient
from rowlift.kit.pgdialect import PgDialect

BATCH_BYTES = 4_000_000
CANCEL_SECONDS = 2.0  # until a server that answers no cancel and no farewell is hung up on


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
        self._mark = new_mark()
        self._batches: Iterator[pa.RecordBatch] = iter(())
        options = {**parameters, "tcp_user_timeout": str(self._mark)}
        uri = "postgresql:///?" + urlencode(options, quote_via=quote)
        with self._patient():
            self._connection = dbapi.connect(uri)
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
