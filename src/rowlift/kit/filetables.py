"""Which files are one table, and the DuckDB scan that reads exactly those.

CSV is read without guessing: the first line is read here, every line must have as many values, and
an unquoted empty value is null while a quoted one is an empty text.
"""

import csv
import glob
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from rowlift.core.errors import SourceError
from rowlift.core.nouns import Table
from rowlift.core.rules import rule
from rowlift.kit.duckread import literal

PARQUET: Literal["parquet"] = "parquet"
SUFFIXES: Mapping[str, Literal["csv", "parquet"]] = {".csv": "csv", ".parquet": PARQUET}
BYTE_ORDER_MARK_AWARE = {"utf-8": "utf-8-sig"}
READ_PARQUET = "SELECT * FROM read_parquet({files})"
READ_CSV = """
SELECT * FROM read_csv({files}, {columns}, header = {header}, delim = {delimiter}, skip = 0,
  quote = '"', escape = '"', comment = '', nullstr = {nulls}, allow_quoted_nulls = false,
  encoding = {encoding}, strict_mode = true, null_padding = false, ignore_errors = false)
"""
AS_TEXT = "auto_detect = false, columns = {{{columns}}}"
GUESSED = "auto_detect = true, sample_size = -1, names = {names}"


class FileTable(BaseModel):
    """One table: the files it is read from and how their text is to be understood."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1, description="Path or pattern (*, ?, **) below the root")
    format: Literal["csv", "parquet"] | None = Field(
        default=None, description="Told by the file's suffix if not given"
    )
    delimiter: str = Field(
        default=",", min_length=1, max_length=1, description="What stands between values"
    )
    header: bool = Field(default=True, description="Whether the first line names the columns")
    nulls: tuple[str, ...] = Field(
        default=("",), description='Unquoted texts that mean null; a quoted "" is an empty text'
    )
    encoding: Literal["utf-8", "latin-1", "utf-16"] = Field(
        default="utf-8", description="How the text is encoded"
    )
    types: Literal["text", "auto"] = Field(
        default="text", description="Read every value as text, or let DuckDB guess the types"
    )


def discovered(root: Path) -> dict[str, FileTable]:
    """Return a table for each CSV and Parquet file directly in a folder, named like the file."""
    tables: dict[str, FileTable] = {}
    for path in sorted(root.iterdir()):
        if path.suffix.lower() in SUFFIXES:
            name = path.stem if path.stem not in tables else path.name
            tables[name] = FileTable(path=glob.escape(path.name))
    return tables


def files(root: Path, table: FileTable) -> list[Path]:
    """Return the real paths of a table's files.

    Raises SourceError FILE_MISSING, FILE_OUTSIDE_ROOT or FILE_UNREADABLE.
    """
    found = sorted(glob.glob(table.path, root_dir=root, recursive=True))  # noqa: PTH207
    paths = [(root / name).resolve() for name in found]
    if not paths:
        raise _unusable("FILE_MISSING", f"no file matches {table.path}")
    for path in paths:
        if not path.is_relative_to(root.resolve()):
            raise _unusable("FILE_OUTSIDE_ROOT", f"{table.path} leads to {path}, outside {root}")
        if not path.is_file() or set(path.name) & set("*?[]"):
            raise _unusable("FILE_UNREADABLE", f"{path} is not a file with a plain name")
    return paths


def scan(paths: Sequence[Path], table: FileTable) -> str:
    """Return the SELECT that reads a table; SourceError FILE_UNREADABLE or TEXT_ENCODING."""
    named = table.format or SUFFIXES.get(paths[0].suffix.lower())
    if named is None:
        raise _unusable("FILE_UNREADABLE", f"the format of {paths[0].name} is not given")
    if named == PARQUET:
        return READ_PARQUET.format(files=_list(map(str, paths)))
    names = named_columns(_one_head(paths, table), paths[0])
    how = AS_TEXT.format(columns=", ".join(f"{literal(name)}: 'VARCHAR'" for name in names))
    return READ_CSV.format(
        files=_list(map(str, paths)),
        columns=how if table.types == "text" else GUESSED.format(names=_list(names)),
        header=table.header,
        delimiter=literal(table.delimiter),
        nulls=_list(table.nulls),
        encoding=literal(table.encoding),
    )


def estimated(
    tables: Iterable[Table], read: Mapping[str, tuple[Sequence[Path], FileTable]]
) -> list[Table]:
    """Return tables with how many rows their files tell of."""
    about = {name: _rows(paths, table) for name, (paths, table) in read.items()}
    return [replace(one, rows_estimate=about.get(one.name)) for one in tables]


def _rows(paths: Sequence[Path], table: FileTable) -> int | None:
    """Return what the ends of Parquet files tell; None of what does not tell."""
    named = table.format or SUFFIXES.get(paths[0].suffix.lower())
    try:
        counts = [int(pq.read_metadata(path).num_rows) for path in paths if named == PARQUET]
    except (pa.ArrowException, OSError):
        return None
    return sum(counts) if named == PARQUET else None


def named_columns(head: Sequence[str], path: Path) -> list[str]:
    """Return the names of the columns; one without a name is called by its number: column0.

    Raises SourceError COLUMN_DUPLICATE, for `plan` and `Plan` too.
    """
    names = [name.strip() or f"column{number}" for number, name in enumerate(head)]
    for name, count in Counter(map(str.lower, names)).items():
        if count > 1:
            twice = f"{path}, line 1: {count} columns are called {name}"
            mend = "Give each column its own name in the first line of the file."
            raise SourceError("COLUMN_DUPLICATE", twice, mend=mend)
    return names


def _one_head(paths: Sequence[Path], table: FileTable) -> list[str]:
    heads = [_head(path, table) for path in paths]
    for path, head in zip(paths, heads, strict=True):
        if head != heads[0]:
            raise _unusable(
                "FILE_UNREADABLE", f"the columns of {path.name} are not those of {paths[0].name}"
            )
    return heads[0]


def _head(path: Path, table: FileTable) -> list[str]:
    encoding = BYTE_ORDER_MARK_AWARE.get(table.encoding, table.encoding)
    try:
        # Bytes that are wrong are left to DuckDB, which knows the line.
        with path.open(newline="", encoding=encoding, errors="replace") as lines:
            first = next(csv.reader(lines, delimiter=table.delimiter, strict=True), [])
    except (OSError, csv.Error) as error:
        raise _unusable("FILE_UNREADABLE", f"{path}, line 1: {error}") from None
    if not first:
        raise _unusable("FILE_UNREADABLE", f"{path} has an empty first line")
    if any(set(name) & {"\0", "\N{REPLACEMENT CHARACTER}"} for name in first):
        raise _unusable("TEXT_ENCODING", f"{path}, line 1: not encoded as {table.encoding}")
    return first if table.header else [""] * len(first)


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(literal, texts))}]"


def _unusable(code: str, message: str) -> SourceError:
    return SourceError(code, message, mend=rule(code).mend)
