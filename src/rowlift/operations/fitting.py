"""Where the tables of a template are: in a source's catalogue, or where somebody says they are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rowlift.core.errors import ConfigError
from rowlift.core.nouns import Column, Table
from rowlift.core.spelling import did_you_mean
from rowlift.kit.sqlplacing import Placed, named, placed, quoted, renamed
from rowlift.operations.templating import Entry, Layout, Naming
from rowlift.project.problems import shown

_NUMBERS = frozenset({"int", "decimal", "float"})
_MOST_TOLD = 12  # columns of a table that is not as it should be


class Known:
    """The tables that a source is known to have, by name in any case."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self.schemas: dict[str, dict[str, Table]] = {}
        self._whole: dict[str, Table] = {}
        for one in tables:
            self.schemas.setdefault(one.schema, {}).setdefault(one.name.casefold(), one)
            self._whole.setdefault(".".join(_parts(one)).casefold(), one)

    def table(self, names: Sequence[str], schema: str) -> Table | None:
        """Return the first table that is there; a name with its own schema is looked for there."""
        here = self.schemas.get(schema, {})
        found = (here.get(one.casefold()) or self._whole.get(one.casefold()) for one in names)
        return next((one for one in found if one), None)


@dataclass(frozen=True, slots=True)
class Found:
    """What stands for one table of a template: its name in parts, and an expression by column.

    `missing` holds our names of columns that it lacks, or its own name where it is not there; `has`
    the columns of a table that is.
    """

    name: Sequence[str]
    columns: Mapping[str, str]
    latest: str = ""
    missing: Sequence[str] = ()
    has: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Fit:
    """A template in one layout and schema; nothing is `missing` where the source has all of it."""

    layout: Layout
    tables: Mapping[str, Found]

    @property
    def missing(self) -> list[str]:
        """Return the tables that are not there, and the columns of those that are."""
        told: list[str] = []
        for found in self.tables.values():
            name = ".".join(found.name)
            told += [f"{name}.{one}" for one in found.missing] if found.has else found.missing
        return told

    @property
    def lack(self) -> tuple[int, int]:
        """Return how many tables are not there, and how many columns of those that are."""
        absent = [one for one in self.tables.values() if one.missing and not one.has]
        return len(absent), len(self.missing) - len(absent)

    def sql(self, entry: Entry, dialect: str) -> str:
        """Return the template's query on these tables, in PostgreSQL's words."""
        return placed(entry.sql, {name: _placed(one, dialect) for name, one in self.tables.items()})

    @property
    def places(self) -> dict[str, str]:
        """Return what stands for each placeholder: a table, or a column as TABLE.COLUMN."""
        told = {}
        for name, found in self.tables.items():
            told[name] = ".".join(found.name)
            columns = found.columns.items()
            told |= {f"{name}.{key}": ", ".join(named(one)) for key, one in columns}
        return told


def best(
    entry: Entry,
    catalogue: Known | None,
    settings: Mapping[str, str] | None = None,
    layout: str = "",
) -> Fit:
    """Return where a template fits best: with the least missing, in the vendor's schema if it can.

    Without a catalogue it is where the layout's loader puts it by default. Raises ConfigError
    NAME_UNKNOWN and VALUE_WRONG.
    """
    given = _given(entry, settings or {})
    fits = list(_fits(entry, catalogue, given, _layouts(entry, layout)))
    found = min(fits, key=lambda one: one.lack)
    if catalogue is not None and given and found.missing:
        raise _unfit(entry, found)
    return found


def _layouts(entry: Entry, name: str) -> Sequence[Layout]:
    known = {one.name: one for one in entry.layouts}
    if name and name not in known:
        text = f"{entry.name} knows no layout {shown(name)}.{did_you_mean(name, known)}"
        raise ConfigError("NAME_UNKNOWN", text, mend=f"There are: {', '.join(known)}.")
    return [known[name]] if name else list(known.values())


def _given(entry: Entry, settings: Mapping[str, str]) -> dict[str, str]:
    """Return what was set by placeholder; a column's name is enough where one table has it."""
    whole = [*entry.reads, *(f"{name}.{one}" for name, read in entry.reads.items() for one in read)]
    given = {}
    for key, value in settings.items():
        meant = [one for one in whole if key in {one, one.partition(".")[2]}]
        if key == "table" and len(entry.reads) == 1:
            meant = list(entry.reads)
        if len(meant) != 1:
            text = f"{entry.name} has no placeholder {shown(key)}.{did_you_mean(key, whole)}"
            raise ConfigError("VALUE_WRONG", text, mend=f"There are: {', '.join(whole)}.")
        if not value:
            mend = "Name a table or column of the source."
            raise ConfigError("VALUE_WRONG", f"{meant[0]} has no value.", mend=mend)
        given[meant[0]] = value
    return given


def _fits(
    entry: Entry,
    catalogue: Known | None,
    given: Mapping[str, str],
    layouts: Sequence[Layout],
) -> Iterator[Fit]:
    """Yield the template in every layout and schema, the vendor's own schema first."""
    own = entry.shelf.schema
    schemas = {own, *(catalogue.schemas if catalogue else ())}
    for schema in sorted(schemas, key=lambda one: (one != own, own not in one, one)):
        for layout in layouts:
            tables = {}
            for table, read in entry.reads.items():
                naming = _set(layout.tables[table], table, given)
                there = catalogue.table(naming.tables, schema) if catalogue else None
                place = "" if table in given else schema
                kinds = {name: entry.shelf.tables[table][name] for name in read}
                if there:
                    tables[table] = _seen(naming, there, kinds)
                else:
                    tables[table] = _assumed(naming, place, read, is_missing=catalogue is not None)
            yield Fit(layout, tables)


def _set(naming: Naming, table: str, given: Mapping[str, str]) -> Naming:
    columns = {
        name: ["{" + given[f"{table}.{name}"] + "}"] if f"{table}.{name}" in given else usual
        for name, usual in naming.columns.items()
    }
    tables = [given[table]] if table in given else naming.tables
    return Naming(tables, columns, naming.latest)


def _assumed(naming: Naming, schema: str, read: Sequence[str], *, is_missing: bool) -> Found:
    """Return a table that was not seen, as it is usually called."""
    usual = naming.tables[0]
    name = usual.split(".") if "." in usual else [part for part in (schema, usual) if part]
    missing = [".".join(name)] if is_missing else []
    return Found(name, {one: naming.columns[one][0] for one in read}, naming.latest, missing)


def _seen(naming: Naming, there: Table, kinds: Mapping[str, str]) -> Found:
    """Return a table that is there, with those of its columns that fit."""
    has = {one.name.casefold(): one for one in there.columns}
    columns, missing = {}, []
    for name, kind in kinds.items():
        fitting = (one for one in naming.columns[name] if _is_there(one, kind, has))
        chosen = next(fitting, None)
        columns[name] = chosen or naming.columns[name][0]
        if chosen is None:
            missing.append(name)
        else:
            columns[name] = renamed(chosen, lambda one: has[one.casefold()].name)
    latest = naming.latest
    if latest.casefold() in has:
        latest = has[latest.casefold()].name
    elif latest:
        missing.append(latest)
    return Found(_parts(there), columns, latest, missing, [one.name for one in there.columns])


def _is_there(expression: str, kind: str, has: Mapping[str, Column]) -> bool:
    """Tell whether all its columns are there; times are no numbers, unless it makes them times."""
    found = [has.get(name.casefold()) for name in named(expression)]
    if not all(found):
        return False
    makes_time = expression.startswith("to_timestamp(")
    is_number = any(one and one.value_type in _NUMBERS for one in found)
    return kind != "timestamp" or makes_time == is_number


def _placed(found: Found, dialect: str) -> Placed:
    def spelled(name: str) -> str:
        return quoted(name, dialect)

    text = ".".join(map(spelled, found.name))
    if found.latest:
        latest = spelled(found.latest)
        newest = f"select max(w.{latest}) from {text} as w where w.id = v.id"
        text = f"(select v.* from {text} as v where v.{latest} = ({newest}))"
    columns = {name: renamed(one, spelled) for name, one in found.columns.items()}
    return Placed(text, columns)


def _parts(table: Table) -> list[str]:
    return [part for part in (table.schema, table.name) if part]


def _unfit(entry: Entry, fit: Fit) -> ConfigError:
    """Return the error that names what is missing, and how to say where it is."""
    text = f"{entry.name} needs {', '.join(fit.missing)}, which the source does not show."
    name, found = next((name, one) for name, one in fit.tables.items() if one.missing)
    key = f"{name}.{found.missing[0]}" if found.has else name
    mend = f"Say which it is: {key}=NAME."
    if found.has:
        mend += f" {'.'.join(found.name)} has: {', '.join(found.has[:_MOST_TOLD])}."
    return ConfigError("VALUE_WRONG", text, mend=mend)
