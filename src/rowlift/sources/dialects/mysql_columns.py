"""How the columns of one MySQL query are read, from what the protocol says of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from rowlift.core.nouns import Column, Table, TableFacts
from rowlift.kit import dbapi
from rowlift.kit.sqlguard import GuardedQuery
from rowlift.sources.dialects import mysql as data


@dataclass(frozen=True, slots=True)
class Plan:
    """The columns of a query and how each is read."""

    columns: tuple[Column, ...]
    readings: tuple[data.Reading, ...]

    @property
    def schema(self) -> pa.Schema:
        """Return the Arrow schema, the same for every reader."""
        pairs = zip(self.columns, self.readings, strict=True)
        return pa.schema([dbapi.field(column, reading.arrow) for column, reading in pairs])

    @property
    def converts(self) -> list[dbapi.Convert]:
        """Return what makes Arrow columns of the server's own bytes."""
        return [dbapi.raw(pa.binary(), reading.finish) for reading in self.readings]

    def finished(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch of the fast reader in the schema of all readers."""
        pairs = zip(batch.columns, self.readings, strict=True)
        arrays = [reading.finish(values) for values, reading in pairs]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def select(self, query: GuardedQuery) -> str:
        """Return the query with its casts: itself if it needs none."""
        needed = [reading.sql for reading in self.readings]
        return self._wrapped(query, needed) if set(needed) != {data.COLUMN} else query.sql

    def fast_select(self, query: GuardedQuery) -> str:
        """Return the query with the casts of the fast reader."""
        return self._wrapped(query, [reading.fast_sql for reading in self.readings])

    def _wrapped(self, query: GuardedQuery, casts: Sequence[str]) -> str:
        names = [quoted(column.name) for column in self.columns]
        selected = [
            f"{cast.replace(data.COLUMN, name)} AS {name}"
            for cast, name in zip(casts, names, strict=True)
        ]
        ordered = not query.has_limit and re.search(data.ORDERED, query.sql, re.IGNORECASE)
        sql = query.sql + data.ALL_ROWS if ordered else query.sql
        return data.SELECT.format(columns=", ".join(selected), sql=sql)


def plan(fields: Sequence[Any], *, tinyint1_is_bool: bool = False) -> Plan:
    """Return the plan for what the protocol says of each column."""
    found = [_known(field, tinyint1_is_bool=tinyint1_is_bool) for field in fields]
    columns = [
        Column(field.name, name, reading.value_type)
        for field, (name, reading) in zip(fields, found, strict=True)
    ]
    return Plan(tuple(columns), tuple(reading for _, reading in found))


def _known(field: Any, *, tinyint1_is_bool: bool) -> tuple[str, data.Reading]:
    name, reading = data.READINGS.get(field.type_code) or _string(field)
    unsigned = bool(field.flags & data.UNSIGNED)
    if field.type_code in data.DECIMALS:
        precision = field.length - (field.scale > 0) - (not unsigned)
        return f"decimal({precision},{field.scale})", reading
    if field.type_code == data.BIT_TYPE:
        return f"bit({field.length})", data.BIT if field.length == 1 else reading
    if field.type_code == data.TINYINT and field.length == 1:
        return "tinyint(1)", data.BOOL if tinyint1_is_bool else reading
    if field.type_code == data.BIGINT and unsigned:
        return "bigint unsigned", data.BIG
    return f"{name} unsigned" if unsigned and reading is data.INT else name, reading


def _string(field: Any) -> tuple[str, data.Reading]:
    name = data.STRINGS.get(field.type_code)
    for flag, special in data.FLAGGED.items():
        name = special if field.flags & flag else name
    if field.charsetnr == data.BINARY_CHARSET:
        return ("blob" if name is None else name.replace("char", "binary")), data.BINARY
    collation = field.charsetnr
    collation -= 1024 if collation in data.NO_PAD else 0
    known = collation in data.UNICODE_COLLATIONS
    return name or "text", data.UNICODE if known else data.OTHER_TEXT


def tables(
    rows: Sequence[tuple[str | None, ...]], estimates: Sequence[tuple[str | None, ...]]
) -> list[Table]:
    """Return the catalogue; names that differ by capitals come mixed with each other."""
    about = {(schema, name): int(count) for schema, name, count in estimates if count}
    found: dict[tuple[str | None, str | None], list[Column]] = {}
    for schema, name, *column in rows:
        found.setdefault((schema, name), []).append(_catalogued(*column))
    return [
        Table(key[0] or "", key[1] or "", tuple(columns), about.get(key))
        for key, columns in found.items()
    ]


def _catalogued(name: str | None, column_type: str | None, data_type: str | None) -> Column:
    value_type = data.CATALOG_VALUES.get(data_type or "", "text")
    return Column(name or "", column_type or "", "bool" if column_type == "bit(1)" else value_type)


def indexes(tables: Sequence[tuple[str, ...]]) -> str:
    """Return the question of what the indexes of some tables begin with."""
    conditions = (
        data.INDEXED_TABLE.format(
            schema=_text(parts[-2]) if len(parts) > 1 else "DATABASE()", name=_text(parts[-1])
        )
        for parts in tables
    )
    return data.INDEXES.format(tables=" OR ".join(conditions))


def _text(value: str) -> str:
    """Return a text that nothing in it can end."""
    return f"CONVERT(0x{value.encode().hex()} USING utf8mb4)"


def facts(rows: Sequence[tuple[str | None, ...]]) -> tuple[TableFacts, ...]:
    """Return what the answer says of the tables."""
    return tuple(
        TableFacts(name or "", int(count) if count else None, tuple((leading or "").split("\n")))
        for name, count, leading in rows
    )


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return "`" + name.replace("`", "``") + "`"
