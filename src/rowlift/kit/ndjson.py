"""JSON Lines of changes, read back by columns."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

AT_ONCE = 10_000
LONGEST = 32_000_000  # bytes of a line

# Records of events have types, and are left out.
_CHANGES = """
SELECT {key} AS key, CASE WHEN op <> 'delete' THEN attributes END AS attributes,
    op IS NULL OR kind IS DISTINCT FROM 'OBJECT' OR names IS NULL AS broken
FROM (
    SELECT json, json_extract_string(json, '/op') AS op, json_type(json, '/attributes') AS kind,
        json_extract(json, '/attributes')::VARCHAR AS attributes, json_keys(json, '/key') AS names,
        json_type(json, '/type') AS type
    FROM read_ndjson_objects(?, maximum_object_size = {longest})
) WHERE type IS NULL AND (names IS NULL OR names = {names})
"""


def read_changes(
    path: Path, names: Sequence[str]
) -> Iterator[tuple[pa.StringArray, pa.StringArray]]:
    """Yield keys and attributes of those changes whose keys name just these identifiers.

    Attributes are null where a record was deleted. Raises ValueError, which says what is no record.
    """
    members = [f"json_extract_string(json, '/key/{name}')" for name in names]
    key = members[0] if len(members) == 1 else f"json_array({', '.join(members)})::VARCHAR"
    listed = "[" + ", ".join(f"'{name}'" for name in names) + "]"
    sql = _CHANGES.format(key=key, names=listed, longest=LONGEST)
    with duckdb.connect(config={"threads": 1}) as engine:
        engine.execute("SET enable_progress_bar = false")  # as in engine/duck.py
        try:
            for batch in engine.execute(sql, [str(path)]).to_arrow_reader(AT_ONCE):
                keys, attributes, broken = batch.columns
                if keys.null_count or pc.any(broken).as_py():
                    raise ValueError(_bad_line(path))
                yield keys, attributes
        except duckdb.Error:
            raise ValueError(_bad_line(path)) from None


def _bad_line(path: Path) -> str:
    """Say which line is no record."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                record = json.loads(line)
                is_good = isinstance(record["attributes"], dict) and record["key"] and record["op"]
            except (ValueError, KeyError, TypeError, RecursionError):
                is_good = False
            if not is_good:
                return f"line {number} is no record"
    return "a line is no record"
