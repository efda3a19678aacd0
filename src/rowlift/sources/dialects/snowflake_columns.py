"""How the columns of one query of Snowflake are read, from what the driver says of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa

from rowlift.core.nouns import Column, Table
from rowlift.kit import dbapi
from rowlift.sources.dialects import snowflake as data


@dataclass(frozen=True, slots=True)
class Plan:
    """The columns of a query, how each is read, and what all chunks of a result have in common."""

    columns: tuple[Column, ...]
    readings: tuple[data.Reading, ...]
    schema: pa.Schema

    def finished(self, chunk: pa.Table) -> Iterator[pa.RecordBatch]:
        """Yield a chunk of the driver in this schema, in batches of at most MAX_ROWS."""
        for batch in chunk.to_batches(dbapi.MAX_ROWS):
            pairs = zip(batch.columns, self.readings, strict=True)
            arrays = [reading.finish(values) for values, reading in pairs]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def plan(described: Sequence[Any]) -> Plan:
    """Return the plan for what the driver says of each column."""
    found = [_known(column.type_code, column.precision, column.scale) for column in described]
    columns = [
        Column(column.name, name, reading.value_type)
        for column, (name, reading) in zip(described, found, strict=True)
    ]
    readings = [reading for _, reading in found]
    pairs = zip(columns, readings, strict=True)
    schema = pa.schema([dbapi.field(column, reading.arrow) for column, reading in pairs])
    return Plan(tuple(columns), tuple(readings), schema)


def _known(code: int, precision: int | None, scale: int | None) -> tuple[str, data.Reading]:
    if code == data.NUMBER:
        return _number(precision, scale)
    return data.READINGS.get(code, data.OTHER)


def _number(precision: int | None, scale: int | None) -> tuple[str, data.Reading]:
    if precision is None or scale is None:
        return "DECFLOAT", data.Reading("decimal")
    name = f"NUMBER({precision},{scale})"
    if scale:
        exact = pa.decimal128(precision, scale)
        return name, data.Reading("decimal", exact, dbapi.to(exact))
    return name, data.INT if precision <= data.INT64_DIGITS else data.LONG


def tables(rows: Sequence[tuple[Any, ...]]) -> list[Table]:
    """Return the catalogue; the rows are ordered by table."""
    return [
        Table(schema, name, tuple(_catalogued(*row[3:]) for row in found), estimate)
        for (schema, name, estimate), group in groupby(rows, lambda row: row[:3])
        for found in [list(group)]
    ]


def _catalogued(name: str, kind: str, precision: int | None, scale: int | None) -> Column:
    if kind == "NUMBER" and precision is not None:
        type_name, reading = _number(precision, scale or 0)
        return Column(name, type_name, reading.value_type)
    return Column(name, kind, data.CATALOG_VALUES.get(kind, "text"))


def quoted(*names: str) -> str:
    """Return the parts of a name as Snowflake takes them, in quotes where they need them."""
    return ".".join(
        name if _is_plain(name) else '"' + name.replace('"', '""') + '"' for name in names
    )


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isidentifier() and name == name.upper()
