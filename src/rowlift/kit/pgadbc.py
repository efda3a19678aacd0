"""The fast reader: binary COPY decoded by ADBC's driver, for columns that were cast beforehand."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import pyarrow as pa
from adbc_driver_manager import Error
from adbc_driver_postgresql import StatementOptions, dbapi

from rowlift.kit.patience import Errand
from rowlift.kit.pgdialect import PgDialect

BATCH_BYTES = 4_000_000
CLOSE_SECONDS = 5.0


class AdbcStream:
    """The batches of one query, over a connection of its own in a read-only transaction.

    Connecting raises adbc_driver_manager.Error, starting too when the query fails; a late error of
    the server comes as an OSError or ArrowException without an SQLSTATE. The driver waits for ever,
    so its calls are made by another thread, which is left behind after `silence` seconds.
    """

    def __init__(
        self, parameters: Mapping[str, str], query: str, schema: pa.Schema, silence: float
    ) -> None:
        self._uri = "postgresql:///?" + urlencode(parameters, quote_via=quote)
        self._query = query
        self._schema = schema
        self._silence = silence
        self._errand = Errand()
        self._connection: Any = None
        self._cursor: Any = None
        self._batches: Iterator[pa.RecordBatch] = iter(())

    @property
    def cancelled(self) -> bool:
        """Tell whether the query was cancelled."""
        return self._errand.cancelled

    def connect(self, seconds: float) -> None:
        """Log in; the driver then asks the server for its types."""
        self._errand.ask(self._connect, seconds)

    def start(self, dialect: PgDialect, statement_timeout: int) -> None:
        """Begin the transaction, send the query and wait for its first rows."""
        self._errand.ask(lambda: self._start(dialect, statement_timeout), self._silence)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while batch := self._errand.ask(lambda: next(self._batches, None), self._silence):
            yield pa.RecordBatch.from_arrays(batch.columns, schema=self._schema)

    def cancel(self) -> None:
        """Stop the query on the server; a query that has ended is fine."""
        self._errand.cancelled = True
        if self._connection:  # libpq waits for the server's answer
            cancelling = threading.Thread(target=self._cancel, daemon=True)
            cancelling.start()
            cancelling.join(CLOSE_SECONDS)

    def close(self) -> None:
        """End the query, finished or not."""
        self._errand.end(self._close, CLOSE_SECONDS)

    def _connect(self) -> None:
        self._connection = dbapi.connect(self._uri)
        self._cursor = self._connection.cursor()

    def _start(self, dialect: PgDialect, statement_timeout: int) -> None:
        self._cursor.execute(f"SET {dialect.begin}")
        self._cursor.execute(dialect.local_settings(statement_timeout))
        self._cursor.fetchall()
        size = {StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(BATCH_BYTES)}
        self._cursor.adbc_statement.set_options(**size)
        self._cursor.execute(self._query)
        self._batches = iter(self._cursor.fetch_record_batch())

    def _cancel(self) -> None:
        try:
            self._connection.adbc_cancel()
        except Error:
            return

    def _close(self) -> None:
        for one in (self._cursor, self._connection):
            if one:
                one.close()
