"""How the columns of one query are read, from what SQL Server says of them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from rowlift.core.nouns import Column, Table, TableFacts
from rowlift.kit import dbapi
from rowlift.sources.dialects import sqlserver as data

_LENGTHS = ("char", "nchar", "varchar", "nvarchar", "binary", "varbinary")
_SCALES = ("datetime2", "datetimeoffset", "time")


@dataclass(frozen=True, slots=True)
class Plan:
    """The columns of a query and how each is read; the same in this process and in the child."""

    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """Return the Arrow schema of the result."""
        return pa.schema([dbapi.field(one, _arrow(one.type_name)) for one in self.columns])

    def finished(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch of the driver's in our types; raises ArrowInvalid where it cannot be."""
        arrays = [
            _reading(column.type_name).finish(values).cast(_arrow(column.type_name))
            for column, values in zip(self.columns, batch.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def plan(described: Iterable[Sequence[str | None]]) -> Plan:
    """Return the plan for columns by their names and types."""
    return Plan(tuple(_column(name or "", type_name or "") for name, type_name in described))


def _column(name: str, type_name: str) -> Column:
    return Column(name, type_name, _reading(type_name).value_type)


def _reading(type_name: str) -> data.Reading:
    return data.READINGS.get(type_name.partition("(")[0], data.TEXT)


def _arrow(type_name: str) -> pa.DataType:
    digits = data.MONEY.get(type_name) or tuple(map(int, re.findall(r"\d+", type_name)))
    return _reading(type_name).arrow or pa.decimal128(*digits)


def tables(rows: Iterable[Sequence[Any]]) -> list[Table]:
    """Return the catalogue; the rows are ordered by table."""
    found: dict[tuple[str, str], Table] = {}
    for schema, name, estimate, column, *about in rows:
        before = found.get((schema, name), Table(schema, name, (), estimate))
        columns = (*before.columns, _column(column, _type_name(*about)))
        found[schema, name] = Table(schema, name, columns, before.rows_estimate)
    return list(found.values())


def table_ids(named: Iterable[Sequence[str]]) -> list[str]:
    """Return what the server is asked for the ids of some tables by."""
    names = (".".join(quoted(part) for part in parts) for parts in named)
    return [data.TABLE_ID.format(name=name.replace("'", "''")) for name in names]


def facts(rows: Iterable[Sequence[Any]]) -> tuple[TableFacts, ...]:
    """Return what the answer says of the tables; it has a row for each index."""
    found: dict[str, TableFacts] = {}
    for name, estimate, leading in rows:
        before = found.get(name, TableFacts(name, estimate, ()))
        found[name] = replace(before, leading=(*before.leading, leading or ""))
    return tuple(found.values())


def _type_name(
    base: str, length: int | None, digits: int | None, scale: int | None, fraction: int | None
) -> str:
    if base in _LENGTHS:
        return f"{base}({'max' if length == -1 else length})"
    if base in ("decimal", "numeric"):
        return f"{base}({digits},{scale})"
    return f"{base}({fraction})" if base in _SCALES else base


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return "[" + name.replace("]", "]]") + "]"
