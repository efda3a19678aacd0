"""What a child process of SQL Server's answers, whichever driver it has loaded.

It says that it started, that it is connected, the rows of each question, the columns of the query
described, and then tells the rows of the query to be read. What is asked for: where the server is
and who reads (see `Server.way`), before (statements), ask (questions), describe, read and limit.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, Protocol

import pyarrow as pa

from rowlift.kit.arrowteller import asked, say, tell
from rowlift.sources.dialects.sqlserver import DESCRIBE
from rowlift.sources.dialects.sqlserver_columns import plan

Row = Mapping[str, Any]


class Connection(Protocol):
    """One login, in a transaction that nobody commits."""

    def rows(self, question: str) -> Sequence[Row]: ...

    def batches(
        self, sql: str, described: Sequence[Row], limit: int | None
    ) -> Iterator[pa.RecordBatch]: ...


def serve(
    connect: Callable[[Mapping[str, Any]], Connection],
    last_words: Callable[[BaseException], Mapping[str, object]],
) -> NoReturn:
    """Answer the one request, or leave an error's text, and number if it has one, behind."""
    request, code = asked(), 0
    try:
        say("started")
        connection = connect(request)
        say("connected")
        _answer(connection, request)
    except BaseException as error:  # noqa: BLE001 - a driver's core may panic; the parent judges
        sys.stderr.write(json.dumps(last_words(error)))
        sys.stderr.flush()
        code = 1
    os._exit(code)  # a connection that is freed would take leave of the server, and wait for it


def _answer(connection: Connection, request: Mapping[str, Any]) -> None:
    for question in request["ask"]:
        say([list(row.values()) for row in connection.rows(question)])
    if sql := request["describe"]:
        described = _described(connection, sql)
        names = [(one["name"], one["system_type_name"]) for one in described]
        say(names)
        if request["read"]:
            columns = plan(names)
            batches = connection.batches(sql, described, request["limit"])
            tell(columns.schema, map(columns.finished, batches))


def _described(connection: Connection, sql: str) -> list[Row]:
    rows = connection.rows(DESCRIBE.format(sql=sql.replace("'", "''")))
    return [row for row in rows if not row["is_hidden"]]
