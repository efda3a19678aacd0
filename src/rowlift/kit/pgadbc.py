"""The fast reader: binary COPY decoded by ADBC's driver, for columns that were cast beforehand."""

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, urlencode

import pyarrow as pa
from adbc_driver_manager import Error
from adbc_driver_postgresql import StatementOptions, dbapi

from rowlift.kit.pgdialect import PgDialect

BATCH_BYTES = 4_000_000


class AdbcStream:
    """The batches of one query, over a connection of its own in a read-only transaction.

    Building it raises adbc_driver_manager.Error when it cannot connect, starting it when the query
    fails; a late error of the server comes as an OSError or ArrowException without an SQLSTATE.
    """

    def __init__(self, parameters: Mapping[str, str], query: str, schema: pa.Schema) -> None:
        self.cancelled = False
        self._query = query
        self._schema = schema
        self._batches: Iterable[pa.RecordBatch] = ()
        uri = "postgresql:///?" + urlencode(parameters, quote_via=quote)
        self._connection = dbapi.connect(uri)
        self._cursor = self._connection.cursor()

    def start(self, dialect: PgDialect, statement_timeout: int) -> None:
        """Begin the transaction, send the query and wait for its first rows."""
        self._cursor.execute(f"SET {dialect.begin}")
        self._cursor.execute(dialect.local_settings(statement_timeout))
        self._cursor.fetchall()
        size = {StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(BATCH_BYTES)}
        self._cursor.adbc_statement.set_options(**size)
        self._cursor.execute(self._query)
        self._batches = self._cursor.fetch_record_batch()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            yield pa.RecordBatch.from_arrays(batch.columns, schema=self._schema)

    def cancel(self) -> None:
        """Stop the query on the server; a query that has ended is fine."""
        self.cancelled = True
        try:
            self._connection.adbc_cancel()
        except Error:
            return

    def close(self) -> None:
        """End the query, finished or not."""
        self._cursor.close()
        self._connection.close()
