"""How the columns of one BigQuery query are read, from what a dry run says of them."""

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from google.cloud.bigquery import SchemaField

from rowlift.core.nouns import Column, Table
from rowlift.kit import dbapi
from rowlift.sources.dialects import bigquery as data

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_NUMBER = {"nan", "infinity", "-infinity"}


@dataclass(frozen=True, slots=True)
class Plan:
    """The columns of a query and how each is read."""

    columns: tuple[Column, ...]
    readings: tuple[data.Reading, ...]
    converts: tuple[dbapi.Convert, ...]

    @property
    def schema(self) -> pa.Schema:
        """Return the Arrow schema, the same for every reader."""
        pairs = zip(self.columns, self.readings, strict=True)
        return pa.schema([dbapi.field(column, reading.arrow) for column, reading in pairs])

    @property
    def streams(self) -> bool:
        """Tell whether the Storage Read API gives every column exactly."""
        return all(reading.streams for reading in self.readings)

    def page(self, rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
        """Return a page of REST's rows, each {"f": [{"v": value}, …]}."""
        cells = zip(*([cell["v"] for cell in row["f"]] for row in rows), strict=True)
        arrays = [convert(column) for convert, column in zip(self.converts, cells, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def streamed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch of the Storage Read API in the schema of all readers."""
        pairs = zip(batch.columns, self.readings, strict=True)
        arrays = [values.cast(reading.arrow) for values, reading in pairs]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def plan(fields: Sequence[SchemaField]) -> Plan:
    """Return the plan for what the service says of each column."""
    readings = [_reading(field) for field in fields]
    columns = [
        Column(field.name, type_name(field), reading.value_type)
        for field, reading in zip(fields, readings, strict=True)
    ]
    converts = [
        _nested(field) if reading is data.NESTED else reading.convert
        for field, reading in zip(fields, readings, strict=True)
    ]
    return Plan(tuple(columns), tuple(readings), tuple(converts))


def type_name(field: SchemaField) -> str:
    """Return a column's type as SQL spells it."""
    name, _ = data.READINGS.get(field.field_type, (field.field_type, data.UNKNOWN))
    if field.field_type in data.RECORDS:
        name = f"STRUCT<{', '.join(f'{one.name} {type_name(one)}' for one in field.fields)}>"
    return f"ARRAY<{name}>" if field.mode == "REPEATED" else name


def _reading(field: SchemaField) -> data.Reading:
    if field.mode == "REPEATED" or field.field_type in data.RECORDS:
        return data.NESTED
    return data.READINGS.get(field.field_type, ("", data.UNKNOWN))[1]


def _nested(field: SchemaField) -> dbapi.Convert:
    return lambda values: pa.array(
        [None if value is None else _json(field, value) for value in values], pa.string()
    )


def _json(field: SchemaField, value: Any) -> str:
    if field.mode == "REPEATED":
        return f"[{','.join(_one(field, item['v']) for item in value)}]"
    return _one(field, value)


def _one(field: SchemaField, value: Any) -> str:
    """Return a value as JSON; numbers keep their digits."""
    if value is None:
        return "null"
    if field.field_type in data.RECORDS:
        pairs = zip(field.fields, value["f"], strict=True)
        members = [f"{_text(one.name)}:{_json(one, cell['v'])}" for one, cell in pairs]
        return f"{{{','.join(members)}}}"
    _, reading = data.READINGS.get(field.field_type, ("", data.UNKNOWN))
    match reading.value_type:
        case "int" | "decimal" | "float" | "bool" | "json" if value.lower() not in NO_NUMBER:
            return str(value)
        case "timestamptz":
            return _text((EPOCH + timedelta(microseconds=int(value))).isoformat())
        case "binary":
            return _text(base64.b64decode(value).hex())
    return _text(data.duration(value) if field.field_type == "INTERVAL" else value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def tables(
    dataset: str, columns: Iterable[Mapping[str, str]], sizes: Mapping[str, int]
) -> list[Table]:
    """Return a dataset's part of the catalogue; the columns come in order."""
    found: dict[str, list[Column]] = {}
    for one in columns:
        column = Column(one["column_name"], one["data_type"], value_type(one["data_type"]))
        found.setdefault(one["table_name"], []).append(column)
    return [Table(dataset, name, tuple(cols), sizes.get(name)) for name, cols in found.items()]


def value_type(sql_type: str) -> str:
    """Return the value type of a type as SQL spells it, parameters and all."""
    name = re.split(r"[(<]", sql_type)[0]
    if name in {"ARRAY", "STRUCT"}:
        return "json"
    return data.READINGS.get(name, ("", data.UNKNOWN))[1].value_type
