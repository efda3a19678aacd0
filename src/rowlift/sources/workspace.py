"""The workspace itself as a source: its people, and who is and was in its segments, as tables."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import rmtree
from typing import ClassVar
from weakref import finalize

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from rowlift.core.counting import counted
from rowlift.core.errors import SourceError
from rowlift.core.nouns import Column, Finding, Table
from rowlift.core.rules import rule
from rowlift.core.spelling import did_you_mean
from rowlift.kit.duckread import DuckConfig, DuckSource, literal, quoted, refusal
from rowlift.kit.sqlguard import guard
from rowlift.sources.dialects.duckdb import DIALECT
from rowlift.workspace import feed
from rowlift.workspace.workspace import Workspace

_SIDES: tuple[feed.Side, ...] = ("members", "former")
_COLUMNS = (
    Column("id", "VARCHAR", "text"),
    Column("email", "VARCHAR", "text"),
    Column("attributes", "JSON", "json"),
)


class OwnPeople(DuckSource):
    """`people`, and for each segment `members.NAME` and `former.NAME`: id, email and attributes.

    What a query asks for is written to a private file once, and read from it as long as the source
    is open: so all its statements see the same people.
    """

    Config: ClassVar[type[BaseModel]] = DuckConfig
    embedded: ClassVar[bool] = False  # the state is open in this process

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(DuckConfig(), DIALECT)
        self._workspace = workspace
        self._folder = Path(tempfile.mkdtemp(prefix="rowlift-people-"))
        self._remove = finalize(self, rmtree, self._folder, ignore_errors=True)
        self._made: set[tuple[str, str]] = set()
        self._cancels = 0

    def mount(self, instance: duckdb.DuckDBPyConnection) -> None:
        """Let the private folder be read, and nothing else."""
        instance.execute(f"SET allowed_directories = [{literal(str(self._folder))}]")
        for side in _SIDES:
            instance.execute(f"CREATE SCHEMA {side}")

    def read_only_select(self, sql: str) -> str:
        """Return the one SELECT of a text once the people whom it asks for are there."""
        for parts in guard(sql, self.dialect).tables:
            schema, name = parts[-2:] if len(parts) > 1 else ("main", parts[-1])
            if (schema, name) not in self._made:
                self._make(schema, name)
        return super().read_only_select(sql)

    def check(self) -> Iterator[Finding]:
        """Tell that the people can be read, and how many segments there are."""
        text = f"The people of this workspace, and {counted(len(self._segments()), 'segment')}"
        yield Finding("login", "ok", text)

    def catalog(self) -> Sequence[Table]:
        """Return the tables."""
        sides = [Table(side, name, _COLUMNS) for side in _SIDES for name in self._segments()]
        return [Table("main", "people", _COLUMNS), *sides]

    def cancel(self) -> None:
        """Stop what is running, and what is being written; safe to call from another thread."""
        self._cancels += 1
        super().cancel()

    def close(self) -> None:
        """Stop what is running and delete what was written; may be called again."""
        super().close()
        self._remove()

    def _segments(self) -> dict[str, int]:
        return feed.names(self._workspace)

    def _make(self, schema: str, name: str) -> None:
        """Make a table of people; a name that means none is left for DuckDB to refuse."""
        if (schema, name) == ("main", "people"):
            self._write(schema, name, feed.everybody(self._workspace))
        for side in _SIDES:
            if side == schema:
                people = feed.people_of(self._workspace, self._segment(name), side)
                self._write(schema, name, people)

    def _segment(self, name: str) -> int:
        known = self._segments()
        if name not in known:
            text = f'There is no segment "{name}" yet.{did_you_mean(name, known)}'
            raise SourceError("TABLE_UNKNOWN", text, mend=rule("TABLE_UNKNOWN").mend)
        return known[name]

    def _write(self, schema: str, name: str, people: Iterator[pa.RecordBatch]) -> None:
        path, before = self._folder / f"{len(self._made)}.parquet", self._cancels
        with pq.ParquetWriter(path, feed.SCHEMA, compression="lz4") as file:
            for batch in people:
                if self._cancels != before:
                    raise refusal("QUERY_CANCELLED")
                file.write_batch(batch)
        columns = "id, email, CAST(attributes AS JSON) AS attributes"
        view = f"CREATE VIEW {schema}.{quoted(name)} AS SELECT {columns} FROM "
        with self._cursor() as cursor:
            cursor.execute(f"{view} read_parquet({literal(str(path))})")
        self._made.add((schema, name))
