"""A DuckDB file: opened read-only, closed in, with nothing else in reach."""

from collections.abc import Sequence
from typing import ClassVar

import duckdb
from pydantic import BaseModel, Field

from rowlift.core.counting import counted
from rowlift.core.errors import ConnectError, SourceError
from rowlift.core.nouns import Finding
from rowlift.core.rules import rule
from rowlift.kit.config import LocalPath
from rowlift.kit.duckread import DuckConfig, DuckSource, literal, quoted
from rowlift.sources.dialects.duckdb import DIALECT

# Attached to an instance of our own: two sources may read one file with different limits.
ATTACH = "ATTACH {path} AS {name} (TYPE duckdb, READ_ONLY)"
TAKEN_NAMES = {"main", "memory", "system", "temp"}


class DuckDBConfig(DuckConfig):
    """Which file is read, and how much a query may use."""

    path: LocalPath = Field(description="The DuckDB file")
    root: LocalPath | None = Field(
        default=None, description="Folder the file must lie in, symbolic links followed"
    )


class DuckDB(DuckSource):
    """A DuckDB database file, which no process may have open for writing."""

    Config: ClassVar[type[BaseModel]] = DuckDBConfig

    def __init__(self, config: DuckDBConfig) -> None:
        super().__init__(config, DIALECT)
        self._config = config

    def __repr__(self) -> str:
        return f"DuckDB({str(self._config.path)!r})"

    @property
    def home(self) -> str:
        """Return the file's name without its suffix, as DuckDB itself would call it."""
        stem = self._config.path.stem
        return f"{stem}_db" if stem.lower() in TAKEN_NAMES else stem

    def mount(self, instance: duckdb.DuckDBPyConnection) -> None:
        """Attach the file; ConnectError says why it cannot be read."""
        path = self._config.path.resolve()
        if self._config.root and not path.is_relative_to(self._config.root.resolve()):
            raise _unusable("FILE_OUTSIDE_ROOT", f"{path} lies outside {self._config.root}")
        if not path.is_file():
            raise _unusable("FILE_MISSING", f"{path} is not a file")
        instance.execute(ATTACH.format(path=literal(str(path)), name=quoted(self.home)))

    def check(self) -> Sequence[Finding]:
        """Test whether the file opens and its catalogue can be read."""
        try:
            tables = self.catalog()
        except SourceError as error:
            return [Finding("login", "error", error.message, error.mend, error.code)]
        return [
            Finding("login", "ok", f"{self._config.path} opened"),
            Finding("read_only", "ok", "Opened read-only; no other file, network or extension"),
            Finding("privileges", "ok", counted(len(tables), "table or view", "tables and views")),
        ]


def _unusable(code: str, message: str) -> ConnectError:
    return ConnectError(code, message, mend=rule(code).mend)
