"""CSV and Parquet files of one folder, as tables; no other file is in reach."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import duckdb
from pydantic import BaseModel, Field

from rowlift.core.counting import counted
from rowlift.core.errors import ConnectError, SourceError
from rowlift.core.nouns import Finding, Table
from rowlift.core.rules import rule
from rowlift.kit.config import LocalPath
from rowlift.kit.duckread import DuckConfig, DuckSource, plain
from rowlift.kit.filetables import FileTable, discovered, estimated, files, scan
from rowlift.kit.sqlguard import guard
from rowlift.sources.dialects.duckdb import DIALECT
from rowlift.sources.dialects.files import allow, readable, spoiled, view

if TYPE_CHECKING:
    from pathlib import Path


class FilesConfig(DuckConfig):
    """Which folder is read, and which of its files are which tables."""

    root: LocalPath = Field(description="The folder; symbolic links may not lead out of it")
    tables: Mapping[str, FileTable] = Field(
        default_factory=dict,
        description="Tables by name; without them each .csv and .parquet file in the folder is one",
    )


class Files(DuckSource):
    """A folder of CSV and Parquet files; a file that cannot be read spoils only its own table."""

    Config: ClassVar[type[BaseModel]] = FilesConfig

    def __init__(self, config: FilesConfig) -> None:
        super().__init__(config, DIALECT)
        self._config = config
        self._spoiled: dict[str, SourceError] = {}
        self._read: dict[str, tuple[list[Path], FileTable]] = {}

    def __repr__(self) -> str:
        return f"Files({str(self._config.root)!r})"

    def read_only_select(self, sql: str) -> str:
        """Return the one SELECT of a text; raises what is wrong with a file it asks for."""
        statement = super().read_only_select(sql)
        for name in {parts[-1].casefold() for parts in guard(sql, self.dialect).tables}:
            if name in self._spoiled:
                error = self._spoiled[name]
                raise SourceError(error.code, error.message, mend=error.mend)
        return statement

    def mount(self, instance: duckdb.DuckDBPyConnection) -> None:
        """Make a view of each table and allow its files; ConnectError if the folder is missing."""
        root = self._config.root.resolve()
        if not root.is_dir():
            message, mend = f"{root} is not a folder", rule("FILE_MISSING").mend
            raise ConnectError("FILE_MISSING", message, mend=mend)
        found: list[Path] = []
        for name, table in (self._config.tables or discovered(root)).items():
            try:
                paths = files(root, table)
                instance.execute(view(name, scan(paths, table)))
                found += paths
                self._read[name] = paths, table
            except SourceError as error:
                self._spoil(instance, name, error)
            except duckdb.Error as error:
                message, mend = f"{table.path}: {plain(str(error))}", rule("FILE_UNREADABLE").mend
                self._spoil(instance, name, SourceError("FILE_UNREADABLE", message, mend=mend))
        instance.execute(allow(found))

    def catalog(self) -> Sequence[Table]:
        """Return the tables with their columns, and how many rows where the files tell."""
        return estimated(super().catalog(), self._read)

    def check(self) -> Iterator[Finding]:
        """Test whether the folder is there and each table's first row can be read."""
        try:
            tables = self.catalog()
        except SourceError as error:
            yield Finding("login", "error", error.message, error.mend, error.code)
            return
        level, mend = ("ok", "") if tables else ("warning", "Put .csv or .parquet files into it.")
        text = f"{self._config.root}: {counted(len(tables), 'table')}"
        yield Finding("login", level, text, mend)
        for table in tables:
            yield readable(self, table)

    def _spoil(self, instance: duckdb.DuckDBPyConnection, name: str, error: SourceError) -> None:
        """Keep the name in the catalogue; whatever reads it in spite of us fails as well."""
        self._spoiled[name.casefold()] = error
        instance.execute(spoiled(name, error))
