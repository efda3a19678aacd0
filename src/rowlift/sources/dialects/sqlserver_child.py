"""Run as a program by ArrowChild: one connection of Microsoft's driver, which cannot be stopped."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import mssql_python
import pyarrow as pa

from rowlift.kit import dbapi
from rowlift.sources.dialects.sqlserver_answers import Row, serve
from rowlift.sources.dialects.sqlserver_keywords import connection_string

SLOW = 1.0  # seconds for a batch, beyond which the next one is smaller: somebody looks on


class Connection:
    """One login, in a transaction that nobody commits."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        mssql_python.pooling(enabled=False)
        connection = mssql_python.connect(
            connection_string(request), autocommit=True, timeout=request["seconds"]
        )
        for statement in request["before"]:
            connection.cursor().execute(statement)
        connection.autocommit = False
        self._cursor: Any = connection.cursor()

    def rows(self, question: str) -> Sequence[Row]:
        self._cursor.execute(question)
        names = [entry[0] for entry in self._cursor.description]
        return [dict(zip(names, row, strict=True)) for row in self._cursor.fetchall()]

    def batches(
        self, sql: str, described: Sequence[Row], limit: int | None
    ) -> Iterator[pa.RecordBatch]:
        self._cursor.execute(sql)
        size, left = dbapi.FIRST_ROWS, limit
        while left != 0:
            started = time.monotonic()
            batch = self._cursor.arrow_batch(size if left is None else min(size, left))
            if not batch.num_rows:
                return
            left = None if left is None else left - batch.num_rows
            slow = time.monotonic() - started > SLOW
            size = max(size // 2, 1) if slow else dbapi.next_size(size, batch)
            yield batch


def last_words(error: BaseException) -> dict[str, object]:
    """Return what is left of an error, which has no number here."""
    return {"said": getattr(error, "ddbc_error", "") or f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    serve(Connection, last_words)
