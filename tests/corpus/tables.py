"""The corpus as one table of a warehouse: each sample is a row, each type of a value a column."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpus import KEPT, Sample, samples

NAME = "hostile"
_ARROW = {
    "binary": pa.binary(),
    "bool": pa.bool_(),
    "date32": pa.date32(),
    "decimal": pa.decimal128(38, 2),
    "double": pa.float64(),
    "list": pa.list_(pa.int64()),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "uint64": pa.uint64(),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row with its sample; `column` holds the expression or value of a typed column, if any."""

    sample: Sample
    user_id: str | None
    email: str | None = None
    text: str | None = None
    column: str = ""

    @property
    def expected(self) -> Any:
        """The code of its reject, or the attributes that must arrive."""
        if self.sample.code:
            return self.sample.code
        if self.column:
            return {self.column: numbered(self.sample["kept"])}
        named = {"email": self.email, "v": self.text}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Hostile:
    """All rows that an engine can hold, and its typed columns by name."""

    rows: Sequence[Row]
    types: Mapping[str, str]

    @classmethod
    def of(cls, engine: str) -> "Hostile":
        typed = samples("values.toml", engine) if engine != "csv" else []
        names = {
            type_: f"t{at}" for at, type_ in enumerate(dict.fromkeys(one["type"] for one in typed))
        }
        rows = [
            *_untyped(engine),
            *(Row(one, one.name, column=names[one["type"]]) for one in typed),
        ]
        return cls(rows, {name: type_ for type_, name in names.items()})

    def create(self, text: str, number: str = "int") -> str:
        """The statement that makes the table; `text` is the engine's type of texts."""
        typed = "".join(f", {name} {type_}" for name, type_ in self.types.items())
        return f"CREATE TABLE {NAME} (n {number}, user_id {text}, email {text}, v {text}{typed})"

    def inserts(self, mark: str = "?") -> Iterator[tuple[str, tuple[Any, ...]]]:
        """One statement and its parameters for each row."""
        for number, row in enumerate(self.rows, 1):
            more = (f", {row.column}", f", {row.sample['sql']}") if row.column else ("", "")
            values = ", ".join([mark] * 4) + more[1].replace("%", "%%" if mark == "%s" else "%")
            into = f"INSERT INTO {NAME} (n, user_id, email, v{more[0]})"
            yield f"{into} VALUES ({values})", (number, row.user_id, row.email, row.text)

    def outcomes(self) -> dict[int, Any]:
        """What must become of each row, by its number."""
        return {number: row.expected for number, row in enumerate(self.rows, 1)}

    def to_csv(self, path: Path) -> None:
        """A file as RFC 4180 says: a value in quotes, and nothing at all for NULL."""
        with path.open("w", encoding="utf-8", newline="") as out:
            out.write("n,user_id,email,v\r\n")
            for number, row in enumerate(self.rows, 1):
                cells = (str(number), row.user_id, row.email, row.text)
                out.write(",".join(map(_cell, cells)) + "\r\n")

    def to_parquet(self, path: Path) -> None:
        columns: dict[str, Any] = {
            "n": pa.array(range(1, len(self.rows) + 1), pa.int64()),
            "user_id": pa.array([row.user_id for row in self.rows], pa.string()),
            "email": pa.array([row.email for row in self.rows], pa.string()),
            "v": pa.array([row.text for row in self.rows], pa.string()),
        }
        for name, type_ in self.types.items():
            values = [row.sample["value"] if row.column == name else None for row in self.rows]
            columns[name] = _arrow(values, _ARROW[type_])
        pq.write_table(pa.table(columns), path)


def write_project(folder: Path, source: Mapping[str, Any]) -> None:
    """A project with one sync, which sends the whole table to a sandbox as `crm.jsonl`."""
    destination = {"type": "sandbox", "path": "crm.jsonl"}
    documents = {
        "rowlift.yml": {"version": 1, "workspace": {"name": "acme"}},
        "connections.yml": {
            "profiles": {"dev": {"sources": {"w": source}, "destinations": {"crm": destination}}},
            "default": "dev",
        },
        f"syncs/{NAME}.yml": {
            "sync": NAME, "preset": "import", "source": "w", "identify_by": "user_id",
            "sql": f"SELECT * FROM {NAME} ORDER BY CAST(n AS DECIMAL(9, 0))", "workspace": "none",
            "guards": {"rejects": "off"}, "destinations": [{"use": "crm", "match": "user_id"}],
        },
    }  # fmt: skip
    (folder / "syncs").mkdir()
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML


def arrived(folder: Path) -> dict[int, Any]:
    """The attributes that the destination holds, by the number of their row."""
    found = {}
    for line in (folder / "crm.jsonl").read_text(encoding="utf-8").split("\n"):
        for message in numbered(line)["messages"] if line else ():
            attributes = dict(message["attributes"])
            found[int(attributes.pop("n"))] = attributes
    return found


def numbered(text: str) -> Any:
    """A JSON text as values of which no number lost a digit."""
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


def _untyped(engine: str) -> Iterator[Row]:
    def fits(sample: Sample) -> bool:
        return sample.get("type", "text") == "text" and engine not in sample.get("not_in", ())

    for one in filter(fits, samples("identifiers.toml")):
        yield Row(one, one["value"], text=KEPT)
    for one in filter(fits, samples("emails.toml")):
        yield Row(one, one.name, email=one["value"])
    for one in filter(fits, samples("values.toml", "texts")):
        yield Row(one, one.name, text=one["text"])


def _cell(value: str | None) -> str:
    return "" if value is None else '"' + value.replace('"', '""') + '"'


def _arrow(values: list[Any], type_: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(type_):
        return pa.array([None if one is None else Decimal(one) for one in values], type_)
    if pa.types.is_date(type_):
        return pa.array(values, pa.int32()).cast(type_)
    if pa.types.is_timestamp(type_):
        return pa.array(values, pa.int64()).cast(type_)
    return pa.array(values, type_)
