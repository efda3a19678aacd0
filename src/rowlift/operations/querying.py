"""Beginning a query: templates, the first rows of a table, and SQL that is written for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rowlift.core.clock import Clock
from rowlift.core.errors import ConfigError, RowliftError
from rowlift.core.nouns import Column, Table
from rowlift.core.specs import OWN, IdentifyBy
from rowlift.core.spelling import did_you_mean
from rowlift.engine.columns import IDENTIFIER_NAMES
from rowlift.kit.sqlplacing import WRITTEN_IN
from rowlift.kit.sqlwriting import Comparison, Filter, everything, select
from rowlift.operations.cataloguing import catalogue, remembered
from rowlift.operations.defining import preview_of
from rowlift.operations.fitting import Known, best
from rowlift.operations.home import Home
from rowlift.operations.offering import Offer, Template, offer, written
from rowlift.operations.templating import entries, entry
from rowlift.project.problems import shown
from rowlift.registry import source_kind

SAMPLE_ROWS = 5
_TYPES: Mapping[str, Literal["number", "bool"]] = {
    "int": "number",
    "decimal": "number",
    "float": "number",
    "bool": "bool",
}


@dataclass(frozen=True, slots=True)
class QuerySource:
    """A source that queries can ask, and the dialect that it reads."""

    name: str
    type: str
    dialect: str


@dataclass(frozen=True, slots=True)
class QueryChoices:
    """What a query can ask, and by what the workspace identifies people: id, email or both."""

    sources: Sequence[QuerySource]
    identifiers: Sequence[str]


@dataclass(frozen=True, slots=True)
class TableSample:
    """A table with its first rows, whose values are in the order of the columns."""

    source: str
    schema: str
    name: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which columns and rows of a table are wanted, and which column tells who each row is of."""

    schema: str
    table: str
    columns: Sequence[str]
    key: str
    identify_by: IdentifyBy = "user_id"
    column: str = ""  # of the filter, if there is one
    comparison: Comparison = "is"
    value: str = ""


@dataclass(frozen=True, slots=True)
class Queries:
    """What helps people to a query before there is a sync."""

    home: Home
    clock: Clock

    def choices(self) -> QueryChoices:
        """Return the sources that can be asked, by name, and what identifies people.

        A source whose driver is not installed is left out; the workspace's own people come last.
        """
        found = list(self._sources())
        if found or self.home.audiences:
            found.append(QuerySource(OWN.name, OWN.type, source_kind(OWN.type).dialect))
        return QueryChoices(found, self.home.project.workspace.identifiers)

    def _sources(self) -> Iterator[QuerySource]:
        for name, one in sorted(self.home.project.sources.items()):
            try:
                yield QuerySource(name, one.type, source_kind(one.type).dialect)
            except RowliftError:  # its driver is not installed: to ask it would tell so
                continue

    def templates(self, source: str = "", *, ask: bool = False) -> list[Offer]:
        """Return queries to begin with, those first whose tables the source is known to have.

        With `ask` a source is asked which it has, once a day. Raises ConfigError NAME_UNKNOWN and,
        with `ask`, SourceError.
        """
        known = self._known(source, ask=ask)
        found = [offer(one, best(one, known), fits=known is not None) for one in entries().values()]
        return sorted(found, key=lambda one: not one.fits)

    def template(
        self,
        name: str,
        source: str = "",
        *,
        layout: str = "",
        settings: Mapping[str, str] | None = None,
        ask: bool = False,
    ) -> Template:
        """Return a template, written for a source or, without one, in PostgreSQL's words.

        `settings` say by placeholder which table or column of the source is meant; they are judged
        where its catalogue is known. Raises ConfigError NAME_UNKNOWN and VALUE_WRONG, and, with
        `ask`, SourceError.
        """
        one = entry(name)
        known = self._known(source, ask=ask)
        fit = best(one, known, settings, layout)
        return written(one, fit, self._dialect(source), fits=known is not None)

    def _known(self, source: str, *, ask: bool) -> Known | None:
        if not source:
            return None
        found = remembered(self.home, self.clock, source)
        if found is None and ask:
            found = catalogue(self.home, self.clock, source, refresh=False)
        return Known(found.tables) if found is not None and found.tables else None

    def sample(self, source: str, schema: str, table: str) -> TableSample:
        """Return a table's columns and its first rows; raises ConfigError and SourceError."""
        found = self._table(source, schema, table)
        key = "user_id" if "id" in self.home.project.workspace.identifiers else "email"
        sql = everything(self._dialect(source), (found.schema, found.name))
        document = {"source": source, "preset": "import", "identify_by": key, "sql": sql}
        seen = preview_of(self.home, "", document, sample=True)
        rows = [one.values for one in seen.rows[:SAMPLE_ROWS]]
        return TableSample(source, found.schema, found.name, seen.columns, rows)

    def compose(self, source: str, wish: Wish) -> str:
        """Write the query of some columns of a table; raises ConfigError VALUE_WRONG.

        The key column is named as what it identifies by, and rows without it are left out.
        """
        table = self._table(source, wish.schema, wish.table)
        columns = {one.name: one for one in table.columns}
        for name in (wish.key, *wish.columns, *([wish.column] if wish.column else [])):
            if name not in columns:
                text = f"{shown(wish.table)} has no column {shown(name)}."
                text += did_you_mean(name, columns)
                raise ConfigError("VALUE_WRONG", text, mend="Pick one of its columns.")
        key = wish.key if wish.key in IDENTIFIER_NAMES[wish.identify_by] else wish.identify_by
        named = {wish.key: key, **{name: name for name in wish.columns if name != wish.key}}
        filters = [Filter(wish.key, "present")]
        if wish.column:
            filters.append(_filter(columns[wish.column], wish))
        return select(self._dialect(source), (table.schema, table.name), named, filters)

    def _dialect(self, source: str) -> str:
        if not source:
            return WRITTEN_IN
        return source_kind(self.home.declared(source).type).dialect

    def _table(self, source: str, schema: str, name: str) -> Table:
        found = catalogue(self.home, self.clock, source, refresh=False).tables
        for one in found:
            if (one.schema, one.name) == (schema, name):
                return one
        whole = f"{schema}.{name}" if schema else name
        close = did_you_mean(name, [one.name for one in found])
        text = f"{source} shows no table {shown(whole)}.{close}"
        mend = "Pick one of its tables, or grant SELECT on it."
        raise ConfigError("NAME_UNKNOWN", text, mend=mend)


def _filter(column: Column, wish: Wish) -> Filter:
    kind: Literal["text", "number", "bool"] = _TYPES.get(column.value_type, "text")
    asks_value = wish.comparison not in {"missing", "present"}
    if asks_value and kind == "number" and not _is_number(wish.value):
        text = f"{column.name} holds numbers, {shown(wish.value)} is none."
        raise ConfigError("VALUE_WRONG", text, mend="Write a number, as 12 or 0.5.")
    if wish.comparison == "contains":
        kind = "text"
    return Filter(column.name, wish.comparison, wish.value, kind)


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal() and text.isascii()
