"""The two ways to read a query of MySQL: in this process, and faster in a child process."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from threading import Timer
from typing import Protocol

import pyarrow as pa

from rowlift.kit import dbapi, mysqlwire, running
from rowlift.kit.arrowchild import ArrowChild
from rowlift.kit.mysqlwire import Connection
from rowlift.kit.sqlguard import GuardedQuery
from rowlift.sources.dialects import mysql as data
from rowlift.sources.dialects.mysql_columns import Plan

CHILD = "rowlift.kit.connectorx_child"


class Reader(running.Reader, Protocol):
    """One query that is being read; its batches raise Refusal or ChildFailed."""

    @property
    def schema(self) -> pa.Schema:
        """Return what the server described."""

    def victims(self, connection: Connection) -> Sequence[str]:
        """Return the server's ids of what runs."""


class PlainReader:
    """Reads through PyMySQL, on the connection that described the query."""

    def __init__(
        self, connection: Connection, plan: Plan, query: GuardedQuery, limit: int | None
    ) -> None:
        self._connection = connection
        self._plan = plan
        self._sql = plan.select(query)
        self._limit = limit
        self._stream: mysqlwire.Stream | None = None

    @property
    def schema(self) -> pa.Schema:
        """Return what the server described."""
        return self._plan.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the result as it arrives."""
        if self._limit is not None:
            mysqlwire.execute(self._connection, data.ROWS.format(rows=self._limit))
        self._stream = stream = mysqlwire.Stream(self._connection, self._sql)
        yield from dbapi.batches(stream, self.schema, self._plan.converts, limit=self._limit)

    def victims(self, connection: Connection) -> Sequence[str]:
        """Return the id of our connection."""
        return [str(self._connection.thread_id())]  # type: ignore[no-untyped-call]

    def kill(self) -> None:
        """Hang up: on a slow network the server's answer would come late."""
        self._connection.hang_up()

    def close(self) -> None:
        """Hang up, whatever is left to read."""
        if self._stream:
            self._stream.abandon()
        mysqlwire.hang_up(self._connection)


class FastReader:
    """Reads through a child that runs CHILD, whose statement is found by a tag in the SQL.

    `login` has the url and the statements that come before the query.
    """

    def __init__(
        self,
        child: ArrowChild,
        login: Mapping[str, object],
        plan: Plan,
        query: GuardedQuery,
        patience: float,
    ) -> None:
        self._child = child
        self._tag = f"rowlift-{secrets.token_hex(8)}"
        self._plan = plan
        self._request = {**login, "sql": f"{plan.fast_select(query)} /* {self._tag} */"}
        self._patience = patience  # seconds; the driver itself would wait for ever

    @property
    def schema(self) -> pa.Schema:
        """Return what the server described."""
        return self._plan.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the result in the schema of the other reader."""
        self._child.ask(self._request)
        watch = Timer(self._patience, self._child.kill)
        watch.daemon = True
        watch.start()
        try:
            yield from map(self._plan.finished, self._child.batches())
        finally:
            watch.cancel()

    def victims(self, connection: Connection) -> Sequence[str]:
        """Return the ids of the statements with our tag."""
        found = mysqlwire.rows(connection, data.TAGGED.format(tag=self._tag))
        return [str(thread_id) for (thread_id,) in found]

    def kill(self) -> None:
        """End the child."""
        self._child.kill()

    def close(self) -> None:
        """End the child and free its spool file."""
        self._child.close()
