"""COPY … TO STDOUT as CSV into Arrow: exact for every type, a few megabytes at a time.

Rows travel as libpq hands them over, one buffer each, and Arrow parses them in blocks; no value
becomes a Python object.
"""

import math
import select
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pyarrow as pa
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from pyarrow import csv

from rowlift.kit.patience import SILENT, TICK
from rowlift.kit.pgsession import cancel

BLOCK_BYTES = 4_000_000
CANCEL_SECONDS = 2.0  # in which the server may end a cancelled query itself
SHOW = 1.0  # seconds after which rows that come slowly are given all the same
COPY = "COPY ({query}) TO STDOUT (FORMAT csv)"


class CopyStream:
    """The batches of one query, over a connection whose transaction has begun and which it ends.

    The server may be silent for `silence` seconds. Starting and iterating raise psycopg.Error for
    whatever the server reports, after the good batches before it.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], query: str, schema: pa.Schema, silence: float
    ) -> None:
        self.cancelled = False
        self._connection = connection
        self._pgconn = connection.pgconn
        self._query = query
        self._schema = schema
        self._silence = silence
        self._hurry = math.inf  # when a cancelled query is given up

    def start(self) -> None:
        """Send the query and wait for its first rows."""
        sql = COPY.format(query=self._query).encode()
        # The extended protocol, in which the server refuses a second statement.
        self._pgconn.send_query_params(sql, None)
        while self._pgconn.flush():
            self._wait(select.POLLOUT)
        self._receive(ExecStatus.COPY_OUT)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        names = [f"c{number}" for number in range(len(self._schema))]
        types = dict(zip(names, self._schema.types, strict=True))
        header = ",".join(names).encode() + b"\n"  # so that no value can pass for a BOM
        for rows in self._blocks():
            yield self._parsed(b"".join((header, *rows)), types)

    def cancel(self) -> None:
        """Stop the query on the server, from any thread; soon, even if it does not answer."""
        self.cancelled = True
        self._hurry = time.monotonic() + CANCEL_SECONDS
        cancel(self._connection)

    def close(self) -> None:
        """End the query, finished or not."""
        if self._connection.info.transaction_status is TransactionStatus.ACTIVE:
            cancel(self._connection)
        self._connection.close()

    def _blocks(self) -> Iterator[Sequence[memoryview]]:
        """Give whole rows, at least one and then up to a block's size at a time."""
        fetch = self._pgconn.get_copy_data
        rows: list[memoryview] = []
        size, given = 0, time.monotonic()
        while (found := fetch(1))[0] >= 0:
            length, row = found
            if length:
                rows.append(row)
                size += length
            else:
                self._wait()
            if size >= BLOCK_BYTES or (rows and not length and given < time.monotonic() - SHOW):
                yield rows
                rows, size, given = [], 0, time.monotonic()
        if rows:
            yield rows
        while self._receive(ExecStatus.COMMAND_OK):
            pass

    def _wait(self, event: int = select.POLLIN) -> None:
        poll = select.poll()
        poll.register(self._connection.fileno(), event)
        until = time.monotonic() + self._silence
        said = False
        while not said:
            said = bool(poll.poll(TICK * 1000))
            if time.monotonic() > min(self._hurry, math.inf if said else until):
                raise psycopg.OperationalError(SILENT)
        self._pgconn.consume_input()

    def _receive(self, expected: ExecStatus) -> bool:
        """Read one result; False when there are no more."""
        while self._pgconn.is_busy():
            self._wait()
        result = self._pgconn.get_result()
        if result and result.status != expected:
            raise error_from_result(result, encoding="utf-8")
        return result is not None

    def _parsed(self, block: bytes, types: dict[str, pa.DataType]) -> pa.RecordBatch:
        table = csv.read_csv(
            pa.BufferReader(block),
            read_options=csv.ReadOptions(use_threads=False, block_size=len(block)),
            parse_options=csv.ParseOptions(ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types=types,
                null_values=[""],
                true_values=["t"],
                false_values=["f"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        (batch,) = table.to_batches()
        return pa.RecordBatch.from_arrays(batch.columns, schema=self._schema)
