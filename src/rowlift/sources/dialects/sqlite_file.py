"""Queries on one SQLite file: what columns hold is asked first, then they are read."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakSet

import pyarrow as pa

from rowlift.core.errors import ConnectError, SourceError
from rowlift.core.nouns import Column, QueryFacts, Table, TableFacts
from rowlift.core.rules import rule
from rowlift.kit import dbapi
from rowlift.kit.sqlguard import guard
from rowlift.kit.sqliteread import Opened
from rowlift.sources.dialects import sqlite as data


@dataclass(frozen=True, slots=True)
class Plan:
    """The columns of a query, how each is read, and the query that reads them by position."""

    columns: tuple[Column, ...]
    readings: tuple[data.Reading, ...]
    sql: str

    @property
    def schema(self) -> pa.Schema:
        """Return the Arrow schema."""
        pairs = zip(self.columns, self.readings, strict=True)
        return pa.schema([dbapi.field(column, reading.arrow) for column, reading in pairs])


class File:
    """Opens the file anew for each thing that is asked; several queries may run at once."""

    def __init__(self, path: Path, root: Path | None, seconds: float) -> None:
        self._path = path
        self._root = root
        self._seconds = seconds
        self._running: WeakSet[Opened] = WeakSet()

    def describe(self, sql: str) -> tuple[Column, ...]:
        """Return the columns of a query; its rows are passed over once to learn their types."""
        text = guard(sql, "sqlite").sql
        with self._reading() as opened:
            return _plan(opened, text).columns

    def query(self, sql: str, limit: int | None) -> pa.RecordBatchReader:
        """Read the types of the whole result, then stream it within the same transaction."""
        text = guard(sql, "sqlite").sql
        with self._reading(keep=True) as opened:
            plan = _plan(opened, text, limit)
        return pa.RecordBatchReader.from_batches(plan.schema, self._batches(opened, plan))

    def catalog(self) -> list[Table]:
        """Return tables and views; a view that is broken has no columns."""
        with self._opened() as opened:
            numbered = {name for (name,) in opened.rows(data.ONLY_TABLES)}
            return [
                Table("main", name, tuple(_columns(opened, name)), estimate)
                for (name,) in opened.rows(data.TABLES)
                for estimate in [_estimate(opened, name) if name in numbered else None]
            ]

    def facts(self, sql: str) -> QueryFacts:
        """Return what the indexes of a query's tables begin with."""
        named = {parts[-1].lower() for parts in guard(sql, "sqlite").tables}
        with self._opened() as opened:
            names = [str(name) for (name,) in opened.rows(data.ONLY_TABLES)]
            found = [_facts(opened, name) for name in names if name.lower() in named]
        return QueryFacts(tables=tuple(found))

    def stop(self) -> None:
        """End every query that runs."""
        for opened in list(self._running):
            opened.stop()

    def close(self) -> None:
        """End every query and let go of the file."""
        self.stop()
        for opened in list(self._running):
            opened.close()

    def _batches(self, opened: Opened, plan: Plan) -> Iterator[pa.RecordBatch]:
        try:
            with _plain_errors(opened):
                cursor = opened.connection.execute(plan.sql)
                converts = [reading.convert for reading in plan.readings]
                for batch in dbapi.batches(cursor, plan.schema, converts):
                    yield batch
                    if opened.must_end:
                        raise _refusal(opened.code)
        finally:
            opened.close()

    @contextmanager
    def _reading(self, *, keep: bool = False) -> Iterator[Opened]:
        """Give a connection on which a query can only read."""
        with self._opened(keep=keep) as opened:
            opened.close_in(data.LIMITS, data.ALLOWED, data.DENIED)
            yield opened

    @contextmanager
    def _opened(self, *, keep: bool = False) -> Iterator[Opened]:
        path = self._found()
        opened = None
        try:
            with _plain_errors(None, ConnectError):
                opened = Opened(path, self._seconds)
                self._running.add(opened)
                for statement in data.SESSION:
                    opened.connection.execute(statement)
                opened.rows(data.PROBE)
            with _plain_errors(opened):
                yield opened
            if not keep:
                opened.close()
        except BaseException:
            if opened:
                opened.close()
            raise

    def _found(self) -> Path:
        """Return the file symbolic links lead to, if it lies where it may."""
        path = self._path.resolve()
        if self._root and not path.is_relative_to(self._root.resolve()):
            raise _unusable("FILE_OUTSIDE_ROOT", f"{path} lies outside {self._root}")
        try:
            if path.is_file():
                return path
        except OSError as error:
            raise _unusable("FILE_UNREADABLE", f"{path}: {error.strerror}") from None
        raise _unusable("FILE_MISSING", f"{path} is not a file")


def _plan(opened: Opened, sql: str, limit: int | None = None) -> Plan:
    names = opened.names(data.NAMES.format(sql=sql))
    if any(re.search(data.RENAMED, name) for name in names):
        names = opened.names(sql)
    places = [f"c{number}" for number in range(len(names))]
    if limit is not None:
        sql = data.LIMITED.format(sql=sql, rows=limit)
    held = _held(opened, sql, places)
    readings = [_reading(opened, sql, places, place, types) for place, types in held.items()]
    columns = [
        Column(name, "|".join(sorted(types)) or "null", reading.value_type)
        for name, types, reading in zip(names, held.values(), readings, strict=True)
    ]
    selected = [
        reading.sql.format(column=place) for reading, place in zip(readings, places, strict=True)
    ]
    return Plan(tuple(columns), tuple(readings), _pass(sql, places, selected))


def _held(opened: Opened, sql: str, places: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the types that each column holds, NULL aside."""
    asked = [data.TYPES.format(column=place) for place in places]
    (found,) = opened.rows(_pass(sql, places, asked))
    sets = [frozenset(str(types or "null").split(",")) - {"null"} for types in found]
    return dict(zip(places, sets, strict=True))


def _reading(
    opened: Opened, sql: str, places: Sequence[str], place: str, types: frozenset[str]
) -> data.Reading:
    if types == data.NUMBERS:
        question = data.BEYOND_FLOAT.format(column=place)
        ((beyond,),) = opened.rows(_pass(sql, places, [question]))
        return data.MIXED if beyond else data.REALS
    return data.READINGS.get(types, data.MIXED)


def _pass(sql: str, places: Sequence[str], selected: Sequence[str]) -> str:
    return data.READ.format(sql=sql, columns=", ".join(places), selected=", ".join(selected))


def _columns(opened: Opened, table: str) -> Iterator[Column]:
    try:
        rows = opened.rows(data.COLUMNS.format(table=_literal(table)))
    except sqlite3.OperationalError:
        return  # a view whose table is gone
    for name, declared in rows:
        wanted = str(declared).upper()
        fitting = (value for part, value in data.AFFINITIES if part in wanted)
        yield Column(str(name), str(declared).lower() or "any", next(fitting, "text"))


def _facts(opened: Opened, table: str) -> TableFacts:
    rows = opened.rows(data.INDEXES.format(table=_literal(table)))
    return TableFacts(table, _estimate(opened, table), tuple(str(leading) for (leading,) in rows))


def _estimate(opened: Opened, table: str) -> int | None:
    """Return about how many rows a table has, if all are numbered as densely as the first."""
    try:
        ((count, first, last, end),) = opened.rows(data.DENSITY.format(table=_quoted(table)))
    except sqlite3.OperationalError:
        return None
    if count < data.SAMPLED:
        return int(count)
    return int(count * (end - first + 1) / (last - first + 1))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(table: str) -> str:
    return "'" + table.replace("'", "''") + "'"


@contextmanager
def _plain_errors(opened: Opened | None, kind: type[SourceError] = SourceError) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise _translated(error, opened, kind) from None
    except (pa.ArrowException, OverflowError, ValueError) as error:
        text = f"The result changed its types while it was read: {error}"
        raise SourceError(
            "QUERY_FAILED", text, mend="Use no random values, and run again."
        ) from None


def _translated(error: Exception, opened: Opened | None, kind: type[SourceError]) -> SourceError:
    name = str(getattr(error, "sqlite_errorname", ""))
    if opened and name == "SQLITE_INTERRUPT":
        return _refusal(opened.code)
    for wanted, part, code, words in data.ERRORS:
        if name.startswith(wanted) and part in str(error):
            kind = ConnectError if code in data.MENDS else kind
            text = words or f"{rule(code).title}: {error}"
            mend = data.MENDS.get(wanted) or data.MENDS.get(code) or rule(code).mend
            return kind(code, text, mend=mend)
    text = f"{rule('QUERY_FAILED').title}: {error}"
    return SourceError("QUERY_FAILED", text, mend=rule("QUERY_FAILED").mend)


def _refusal(code: str) -> SourceError:
    return SourceError(code, rule(code).title, mend=rule(code).mend)


def _unusable(code: str, message: str) -> ConnectError:
    return ConnectError(code, message, mend=data.MENDS.get(code, rule(code).mend))
