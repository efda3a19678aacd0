"""Columns of every value type, staged as the engine stages them."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rowlift.core.nouns import Kind, Preset
from rowlift.core.specs import LimitSpec, SyncSpec
from rowlift.core.values import META
from rowlift.engine import canon
from rowlift.engine.arrivals import with_canonical_json
from rowlift.engine.duck import Duck
from rowlift.engine.read import ROW_NUMBER

SPLIT = pa.struct([("ns", pa.int64()), ("us", pa.int64())])
TYPED = {
    "text": pa.string(),
    "bool": pa.bool_(),
    "int": pa.int64(),
    "decimal": pa.decimal128(38, 2),
    "float": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "binary": pa.binary(),
}


def field(name: str, value_type: str, arrow: pa.DataType | None = None) -> pa.Field:
    """Return a field as a source hands it over; a text unless a type is given."""
    return pa.field(name, arrow or pa.string(), metadata={META: value_type.encode()})


def column(value_type: str, form: str, raw: list) -> pa.Array:
    """Build a column from what JSON can hold."""
    if form == "text":
        return pa.array(raw, pa.string())
    if form == "counted":
        return pa.array(raw, pa.int64())
    if form == "split":
        return pa.array(raw, SPLIT)
    if value_type == "decimal":
        raw = [one and Decimal(one) for one in raw]
    if value_type == "float":
        raw = [one if one is None else float(one) for one in raw]
    if value_type == "binary":
        raw = [one if one is None else bytes.fromhex(one) for one in raw]
    if value_type in ("date", "timestamp", "timestamptz"):
        width = pa.int32() if value_type == "date" else pa.int64()
        return pa.array(raw, width).cast(TYPED[value_type])
    return pa.array(raw, TYPED[value_type])


def write(path: Path, columns: dict[str, tuple[pa.Field, pa.Array]] | pa.Table) -> Path:
    """Write columns as a staged file with its row numbers."""
    if isinstance(columns, pa.Table):
        table = columns
    else:
        fields = [one.with_name(name) for name, (one, _) in columns.items()]
        table = pa.table([data for _, data in columns.values()], schema=pa.schema(fields))
    numbers = pa.array(range(1, len(table) + 1), pa.int64())
    pq.write_table(table.append_column(pa.field(ROW_NUMBER, pa.int64()), numbers), path)
    return path


def canonical_texts(
    engine: Duck, value_type: str, data: pa.Array | pa.ChunkedArray
) -> list[str | None]:
    """Return the canonical text of each value."""
    path = engine.scratch_file("staged")
    write(path, {"v": (field("v", value_type, data.type), data)})
    columns = canon.staged_columns(pq.read_schema(path))
    path = with_canonical_json(engine, path, columns)
    relation = canon.staged_sql(path, columns)
    return [row[0] for row in engine.rows(f"SELECT {canon.canonical(columns[0])} FROM {relation}")]


def stage(path: Path, fields: list[pa.Field], rows: list[tuple]) -> Path:
    """Write rows as a staged file."""
    data = [pa.array([row[at] for row in rows], one.type) for at, one in enumerate(fields)]
    return write(path, pa.table(data, schema=pa.schema(fields)))


def spec(**changes) -> SyncSpec:
    """Return a sync by user_id that rejects bad rows."""
    given = {
        "name": "people",
        "preset": Preset.IMPORT,
        "kind": Kind.PERSON,
        "source": "warehouse",
        "sql": "SELECT 1",
        "identify_by": "user_id",
        "limits": LimitSpec(columns=300, rows=10_000_000, record_bytes=None),
        "on_bad_rows": "reject",
    }
    return SyncSpec(**given | changes)


def duck(tmp_path: Path) -> Duck:
    """Open an engine of its own."""
    return Duck(tmp_path / "scratch", memory_mb=512)
