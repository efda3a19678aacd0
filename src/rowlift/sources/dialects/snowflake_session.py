"""One login at Snowflake, and what is asked and read in it."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import cast

import pyarrow as pa
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import Error, OperationalError

from rowlift.sources.dialects import snowflake as data
from rowlift.sources.dialects import snowflake_columns as columns


class Session:
    """One login, which other threads than the one that uses it may end."""

    def __init__(self, connection: SnowflakeConnection) -> None:
        self._connection = connection
        self.role = connection.role or ""
        self.warehouse = connection.warehouse or ""

    def end(self) -> None:
        """Log out, which ends what runs; nobody waits for it."""
        threading.Thread(target=self.close, daemon=True).start()

    def close(self) -> None:
        """Log out; a session that is lost ends by itself."""
        with suppress(Error):
            self._connection.close(retry=False)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Return the answer to a question of our own."""
        with self._connection.cursor() as cursor:
            return cast("list[tuple[object, ...]]", cursor.execute(sql).fetchall())

    def records(self, sql: str) -> list[dict[str, str]]:
        """Return the answer to a SHOW by column."""
        with self._connection.cursor() as cursor:
            found = cursor.execute(sql).fetchall()
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found]

    def clock(self) -> int:
        """Return the account's clock in Unix seconds."""
        ((seconds,),) = self.rows(data.CLOCK)
        return int(str(seconds))

    def plan(self, sql: str) -> columns.Plan:
        """Return how a query's columns are read, without running it."""
        with self._connection.cursor() as cursor:
            return columns.plan(cursor.describe(sql) or ())

    def batches(self, sql: str, plan: columns.Plan) -> Iterator[pa.RecordBatch]:
        """Run a query and yield its rows; OperationalError if some are missing at the end."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            missing = cursor.rowcount or 0
            for chunk in cursor.fetch_arrow_batches():
                missing -= chunk.num_rows
                yield from plan.finished(chunk)
            if missing > 0:
                raise OperationalError(f"{missing} rows of the result did not arrive")
