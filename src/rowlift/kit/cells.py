"""Changes in the columns of CSV and Parquet, read back in sets."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from rowlift.kit.ndjson import AT_ONCE, LONGEST

Columns = tuple[pa.StringArray, pa.StringArray]

_OURS = ("op", "given", "message_id")  # the first columns; a key is given in some form
_CSV = """read_csv(?, columns = {{{columns}}}, header = true, auto_detect = false, delim = ',',
    quote = '"', escape = '"', nullstr = '', strict_mode = true, parallel = false,
    max_line_size = {longest}, buffer_size = {buffer})"""
_PARQUET = "(SELECT COLUMNS(*)::VARCHAR FROM read_parquet(?))"
_CHANGES = """
SELECT key, CASE WHEN op <> 'delete' THEN attributes END AS attributes,
    op IS NULL OR key IS NULL AS broken
FROM (
    SELECT op, {key} AS key, json_object({members})::VARCHAR AS attributes
    FROM {table} AS t({aliases})
) WHERE key IS NULL OR {parts} = {key_parts}
"""
# As `texts.key_parts` has it.
_KEY_PARTS = """CASE WHEN key LIKE '["%"]' AND json_valid(key)
    THEN CASE WHEN len(list_filter(json_extract(key, '$[*]'), x -> json_type(x) <> 'VARCHAR')) = 0
        THEN json_array_length(key) ELSE 1 END
    ELSE 1 END"""
_GUARDED = r"'^''[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]'"
_UNGUARDED = f"CASE WHEN regexp_matches(given, {_GUARDED}) THEN substr(given, 2) ELSE given END"
_PIECE = 1 << 20  # bytes


def read_csv_changes(path: Path, names: Sequence[str], parts: int) -> Iterator[Columns]:
    """Yield keys and attributes of changes whose keys have so many parts.

    `names` are those of the columns behind op, key and message id. A key comes without the
    apostrophe before a formula, attributes as texts, null where a record was deleted; an empty one
    is none. Raises ValueError, which says what is no record.
    """
    columns = ", ".join(f"'{one}': 'VARCHAR'" for one in _aliases(names))
    table = _CSV.format(columns=columns, longest=LONGEST, buffer=LONGEST + _PIECE)
    if not _ends_quotes(path):
        raise ValueError(_bad_line(path, len(_OURS) + len(names)))
    try:
        yield from _changes(path, table, _UNGUARDED, names, parts)
    except (duckdb.Error, LookupError):
        raise ValueError(_bad_line(path, len(_OURS) + len(names))) from None


def read_parquet_changes(path: Path, names: Sequence[str], parts: int) -> Iterator[Columns]:
    """Yield the same of a Parquet file; raises ValueError where it is not whole."""
    try:
        yield from _changes(path, _PARQUET, "given", names, parts)
    except (duckdb.Error, LookupError):
        raise ValueError("it is no whole Parquet file") from None


def _changes(
    path: Path, table: str, key: str, names: Sequence[str], parts: int
) -> Iterator[Columns]:
    """Yield what a table function reads, by the places of columns; LookupError: no record."""
    aliases = _aliases(names)
    values = zip(names, aliases[len(_OURS) :], strict=True)
    members = [f"{_text(name)}, {one}" for name, one in values]
    sql = _CHANGES.format(
        key=key, members=", ".join(members), table=table, aliases=", ".join(aliases), parts=parts,
        key_parts=_KEY_PARTS,
    )  # fmt: skip
    with duckdb.connect(config={"threads": 1}) as engine:
        engine.execute("SET enable_progress_bar = false")  # as in engine/duck.py
        for batch in engine.execute(sql, [str(path)]).to_arrow_reader(AT_ONCE):
            keys, attributes, broken = batch.columns
            if pc.any(broken).as_py():
                raise LookupError
            yield keys, attributes


def _aliases(names: Sequence[str]) -> list[str]:
    return [*_OURS, *(f"c{at}" for at in range(len(names)))]


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _ends_quotes(path: Path) -> bool:
    """Tell whether each quote has its other one; DuckDB reads nothing from one that never ends."""
    with path.open("rb") as file:
        return sum(piece.count(b'"') for piece in iter(lambda: file.read(_PIECE), b"")) % 2 == 0


def _bad_line(path: Path, width: int) -> str:
    """Say which line is no record."""
    csv.field_size_limit(LONGEST)
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            for row in rows:
                if row and (len(row) != width or not (row[0] and row[1])):
                    break
        except (csv.Error, ValueError):
            pass
        return f"line {rows.line_num or 1} is no record"
