"""Run as a program by ArrowChild: one connection of Microsoft's driver, which cannot be stopped.

It says that it started, that it is connected, the rows of each question, the columns of the query
described, and then tells the rows of the query to be read. What is asked for: connect (a
connection string), seconds to connect, before (statements), ask (questions), describe and read.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import mssql_python
import pyarrow as pa

from rowlift.kit import dbapi
from rowlift.kit.arrowchild import asked, say, tell
from rowlift.sources.dialects.sqlserver import DESCRIBE
from rowlift.sources.dialects.sqlserver_columns import plan

SLOW = 1.0  # seconds for a batch, beyond which the next one is smaller: somebody looks on


def main() -> NoReturn:
    """Answer the one request, and leave an error as JSON behind."""
    request, code = asked(), 0
    try:
        say("started")
        connection = _connected(request)
        say("connected")
        _answer(connection.cursor(), request)
    except BaseException as error:  # noqa: BLE001 - the driver's core panics; the parent judges
        said = getattr(error, "ddbc_error", "") or f"{type(error).__name__}: {error}"
        sys.stderr.write(json.dumps({"said": said}))
        sys.stderr.flush()
        code = 1
    os._exit(code)  # a connection that is freed would take leave of the server, and wait for it


def _connected(request: dict[str, Any]) -> Any:
    mssql_python.pooling(enabled=False)
    connection = mssql_python.connect(
        request["connect"], autocommit=True, timeout=request["seconds"]
    )
    for statement in request["before"]:
        connection.cursor().execute(statement)
    connection.autocommit = False  # from here on all is one transaction, which nobody commits
    return connection


def _answer(cursor: Any, request: dict[str, Any]) -> None:
    for question in request["ask"]:
        say([list(row) for row in _rows(cursor, question)])
    if sql := request["describe"]:
        described = _described(cursor, sql)
        say(described)
        if request["read"]:
            columns = plan(described)
            cursor.execute(sql)
            tell(columns.schema, map(columns.finished, _batches(cursor, request["limit"])))


def _rows(cursor: Any, question: str) -> Sequence[Any]:
    cursor.execute(question)
    rows: Sequence[Any] = cursor.fetchall()
    return rows


def _described(cursor: Any, sql: str) -> list[tuple[str, str]]:
    rows = _rows(cursor, DESCRIBE.format(sql=sql.replace("'", "''")))
    names = [entry[0] for entry in cursor.description]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [(one["name"], one["system_type_name"]) for one in found if not one["is_hidden"]]


def _batches(cursor: Any, limit: int | None) -> Iterator[pa.RecordBatch]:
    size, left = dbapi.FIRST_ROWS, limit
    while left != 0:
        started = time.monotonic()
        batch = cursor.arrow_batch(size if left is None else min(size, left))
        if not batch.num_rows:
            return
        left = None if left is None else left - batch.num_rows
        slow = time.monotonic() - started > SLOW
        size = max(size // 2, 1) if slow else dbapi.next_size(size, batch)
        yield batch


if __name__ == "__main__":
    main()
