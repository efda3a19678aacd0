"""The catalogue of templates: what its files say, and how a template is written for a source."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from rowlift.core.errors import ConfigError
from rowlift.core.nouns import Kind
from rowlift.core.specs import IdentifyBy
from rowlift.core.spelling import did_you_mean
from rowlift.kit.sqlplacing import columns_read
from rowlift.project.problems import shown

_FILES = "rowlift.operations.templates"
Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Naming:
    """What a layout calls a table and its columns: alternatives, the usual one first.

    A column is an expression of columns in braces, as a rule of one. Of rows with one id the last
    by the column `latest` counts.
    """

    tables: Sequence[str]
    columns: Mapping[str, Sequence[str]]
    latest: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a loader lays a vendor's tables out; what it lacks has no naming."""

    name: str
    title: str
    tables: Mapping[str, Naming]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What one file holds: tables under our names with types, layouts, and rows to try them on."""

    name: str
    title: str
    schema: str
    tables: Mapping[str, Mapping[str, str]]
    layouts: Mapping[str, Layout]
    seed: Mapping[str, Sequence[Row]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A template as its file has it, `reads` being the columns that its SQL takes of each table."""

    name: str
    title: str
    about: str
    kind: Kind
    identify_by: IdentifyBy
    sql: str
    columns: Mapping[str, str]
    sample: Sequence[Row]
    shelf: Shelf
    reads: Mapping[str, Sequence[str]]

    @property
    def layouts(self) -> list[Layout]:
        """Return the layouts that have all its tables."""
        return [
            one for one in self.shelf.layouts.values() if one.tables.keys() >= self.reads.keys()
        ]


@cache
def entries() -> Mapping[str, Entry]:
    """Return all templates by name, those of one file together."""
    found: dict[str, Entry] = {}
    for file in sorted(files(_FILES).iterdir(), key=lambda one: one.name):
        if file.name.endswith(".toml"):
            told = tomllib.loads(file.read_text(encoding="utf-8"))
            found |= _entries(file.name.removesuffix(".toml"), told)
    return found


def entry(name: str) -> Entry:
    """Return a template; raises ConfigError NAME_UNKNOWN."""
    if name not in entries():
        text = f"There is no template {shown(name)}.{did_you_mean(name, entries())}"
        raise ConfigError("NAME_UNKNOWN", text, mend=f"There are: {', '.join(entries())}.")
    return entries()[name]


def _entries(name: str, told: Mapping[str, Any]) -> dict[str, Entry]:
    tables = told["tables"]
    layouts = {key: _layout(key, one, tables) for key, one in told["layouts"].items()}
    seed = {table: [_nulled(row) for row in rows] for table, rows in told["seed"].items()}
    shelf = Shelf(name, told["title"], told["schema"], tables, layouts, seed)
    return {key: _entry(key, one, shelf) for key, one in told["templates"].items()}


def _entry(name: str, told: Mapping[str, Any], shelf: Shelf) -> Entry:
    given = {
        "kind": Kind(told["kind"]),
        "sql": told["sql"].strip(),
        "sample": [_nulled(row) for row in told["sample"]],
        "reads": columns_read(told["sql"], shelf.tables),
    }
    return Entry(name=name, shelf=shelf, **{**told, **given})


def _layout(name: str, told: Mapping[str, Any], tables: Mapping[str, Mapping[str, str]]) -> Layout:
    lacks = told.get("lacks", ())
    renamed = told.get("tables", {})
    kept = (table for table in tables if table not in lacks)
    namings = {table: _naming(table, renamed.get(table, {}), tables[table]) for table in kept}
    return Layout(name, told["title"], namings)


def _naming(table: str, told: Mapping[str, Any], columns: Mapping[str, str]) -> Naming:
    named = {name: [_braced(one) for one in _listed(told.get(name, name))] for name in columns}
    return Naming(_listed(told.get("table", table)), named, told.get("latest", ""))


def _braced(expression: str) -> str:
    return expression if "{" in expression else "{" + expression + "}"


def _listed(names: str | Sequence[str]) -> Sequence[str]:
    return [names] if isinstance(names, str) else names


def _nulled(row: Row) -> Row:
    return [None if value == "null" else value for value in row]
