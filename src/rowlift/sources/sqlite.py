"""An SQLite file: opened read-only, closed in, with nothing else in reach."""

import math
import time
from collections.abc import Sequence
from typing import ClassVar

import pyarrow as pa
from pydantic import BaseModel, Field

from rowlift.core.counting import counted
from rowlift.core.errors import SourceError
from rowlift.core.nouns import Column, Finding, QueryFacts, Table
from rowlift.kit.config import ConnectorConfig, LocalPath
from rowlift.sources.dialects.sqlite_file import File


class SQLiteConfig(ConnectorConfig):
    """Which file is read, and how long a query may take."""

    path: LocalPath = Field(description="The SQLite file")
    root: LocalPath | None = Field(
        default=None, description="Folder the file must lie in, symbolic links followed"
    )
    statement_timeout: float = Field(
        default=3600, gt=0, description="Seconds a query may take, the reading of its rows included"
    )


class SQLite:
    """An SQLite database file; values and rows of at most 64 MiB."""

    Config: ClassVar[type[BaseModel]] = SQLiteConfig
    dialect: ClassVar[str] = "sqlite"
    embedded: ClassVar[bool] = True

    def __init__(self, config: SQLiteConfig) -> None:
        self._path = config.path
        self._file = File(config.path, config.root, config.statement_timeout)

    def __repr__(self) -> str:
        return f"SQLite({str(self._path)!r})"

    def check(self) -> Sequence[Finding]:
        """Test whether the file opens and its catalogue can be read."""
        try:
            tables = self.catalog()
        except SourceError as error:
            return [Finding("login", "error", error.message, error.mend, error.code)]
        return [
            Finding("login", "ok", f"{self._path} opened"),
            Finding("read_only", "ok", "Opened read-only; no other file and no extension"),
            Finding("privileges", "ok", counted(len(tables), "table or view", "tables and views")),
        ]

    def describe(self, sql: str) -> Sequence[Column]:
        """Return the output columns; only a pass over the rows tells which types they hold."""
        return self._file.describe(sql)

    def query(self, sql: str, *, limit: int | None = None) -> pa.RecordBatchReader:
        """Stream the result in bounded memory."""
        return self._file.query(sql, limit)

    def catalog(self) -> Sequence[Table]:
        """Return the tables and views with their columns."""
        return self._file.catalog()

    def facts(self, sql: str) -> QueryFacts:
        """Return what the indexes of a query's tables begin with."""
        return self._file.facts(sql)

    def now(self) -> int:
        """Return this machine's clock: a file has no other."""
        return math.floor(time.time())

    def cancel(self) -> None:
        """Stop what is running; safe to call from another thread."""
        self._file.stop()

    def close(self) -> None:
        """Stop what is running and let go of the file; may be called again."""
        self._file.close()
