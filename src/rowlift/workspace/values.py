"""Values of a JSON text, tested in SQL, with the same answers on SQLite and on PostgreSQL.

An answer may be NULL where there is no value to test; `fails` makes its opposite, which never is.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

import sqlalchemy as sa

from rowlift.core.audiences import Scalar, Test

Answer = sa.ColumnElement[bool]
Text = sa.ColumnElement[str]
Number = sa.ColumnElement[Any]

_DAY_GLOB = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_DAY_REGEX = "^[0-9]{4}-[0-9]{2}-[0-9]{2}($|T)"
_NAME_BYTES = 63  # PostgreSQL cuts longer names of columns


class Tongue(Protocol):
    """What a database says in its own words."""

    def exact(self, number: float) -> Number:
        """Return a number to all its digits."""
        ...

    def has_part(self, text: Text, part: str) -> Answer:
        """Tell whether a text holds another one."""
        ...

    def last(self, text: Text, characters: int) -> Text:
        """Return the last characters of a text."""
        ...

    def is_moment(self, text: Text) -> Answer:
        """Tell whether a text is a date, or begins with one and a T."""
        ...

    def bytewise(self, text: Text) -> Text:
        """Return a text that is ordered by its characters' numbers."""
        ...


@dataclass(frozen=True, slots=True)
class Value:
    """One value; `kind` is NULL where there is none, text and number where it is another thing."""

    kind: Text
    text: Text
    number: Number
    true: Answer
    false: Answer
    some_element: "Callable[[Callable[[Value], Answer]], Answer] | None" = None

    def is_(self, wanted: Scalar, tongue: Tongue) -> Answer:
        """Tell whether it is this text, number or truth value."""
        if isinstance(wanted, bool):
            return self.true if wanted else self.false
        if isinstance(wanted, str):
            return self.text == wanted
        return self.number == tongue.exact(wanted)

    def holds(self, wanted: Scalar, tongue: Tongue) -> Answer:
        """Tell whether it is a list that has such an element."""
        if self.some_element is None:
            return sa.false()
        return self.some_element(lambda element: element.is_(wanted, tongue))


class Record(Protocol):
    """What has values by name."""

    @property
    def tongue(self) -> Tongue:
        """Return what the database says in its own words."""
        ...

    def value(self, name: str) -> Value:
        """Return the value of that name."""
        ...


def fails(answer: Answer) -> Answer:
    """Return the opposite of an answer, to which NULL is a no."""
    return answer.is_not(sa.true())


def passes(value: Value, test: Test, now: datetime, tongue: Tongue) -> Answer:
    """Return whether a value passes a test."""
    if test.name in _TESTS:
        return _TESTS[test.name](value, test.value, tongue)
    return _Moment(value, tongue).passes(test, now)


def _contains(value: Value, wanted: Scalar, tongue: Tongue) -> Answer:
    inside = value.holds(wanted, tongue)
    is_text = isinstance(wanted, str)
    return sa.or_(tongue.has_part(value.text, str(wanted)), inside) if is_text else inside


def _starts(value: Value, wanted: str, _tongue: Tongue) -> Answer:
    found: Answer = sa.func.substr(value.text, 1, len(wanted)) == wanted
    return found


_TESTS: Mapping[str, Callable[[Value, Any, Tongue], Answer]] = {
    "is": lambda value, wanted, tongue: value.is_(wanted, tongue),
    "is_not": lambda value, wanted, tongue: fails(value.is_(wanted, tongue)),
    "one_of": lambda value, wanted, tongue: sa.or_(*(value.is_(one, tongue) for one in wanted)),
    "contains": _contains,
    "starts_with": _starts,
    "ends_with": lambda value, wanted, tongue: tongue.last(value.text, len(wanted)) == wanted,
    "present": lambda value, _wanted, _tongue: value.kind.is_not(None),
    "missing": lambda value, _wanted, _tongue: value.kind.is_(None),
    "more_than": lambda value, wanted, tongue: value.number > tongue.exact(wanted),
    "at_least": lambda value, wanted, tongue: value.number >= tongue.exact(wanted),
    "less_than": lambda value, wanted, tongue: value.number < tongue.exact(wanted),
    "at_most": lambda value, wanted, tongue: value.number <= tongue.exact(wanted),
}


class _Moment:
    """A value as a moment: a text as it is written but for its Z, or Unix seconds."""

    def __init__(self, value: Value, tongue: Tongue) -> None:
        self._seconds, self._tongue = value.number, tongue
        day = sa.case((tongue.is_moment(value.text), sa.func.rtrim(value.text, "Z")))
        self._text = tongue.bytewise(day)

    def passes(self, test: Test, now: datetime) -> Answer:
        """Tell whether it lies where a test says; a day without an hour is its midnight."""
        wanted: Any = test.value
        match test.name:
            case "since":
                return self._since(_read(wanted))
            case "before":
                return self._before(_read(wanted))
            case "within_last":
                just_now = now + timedelta(microseconds=1)
                return sa.and_(self._since(now - timedelta(seconds=wanted)), self._before(just_now))
        today = self._text == now.date().isoformat()  # which lies ahead as well
        ahead = sa.or_(self._since(now), today)
        return sa.and_(ahead, self._before(now + timedelta(seconds=wanted)))

    def _since(self, moment: datetime) -> Answer:
        seconds = self._tongue.exact(moment.timestamp())
        return sa.or_(self._text >= _written(moment), self._seconds >= seconds)

    def _before(self, moment: datetime) -> Answer:
        seconds = self._tongue.exact(moment.timestamp())
        return sa.or_(self._text < _written(moment), self._seconds < seconds)


def _read(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _written(moment: datetime) -> str:
    """Return a moment such that whatever is written shorter is no later."""
    text = moment.replace(tzinfo=None).isoformat()
    return text.rstrip("0") if "." in text else text.removesuffix("T00:00:00")


# SQLite


class Sqlite:
    """SQLite's words; it keeps a parsed text for the next question about it."""

    def exact(self, number: float) -> Number:
        """Return SQLite's own integer or real."""
        return sa.literal(number)

    def has_part(self, text: Text, part: str) -> Answer:
        """Tell whether a text holds another one."""
        return sa.func.instr(text, part) > 0

    def last(self, text: Text, characters: int) -> Text:
        """Return the last characters of a text."""
        return sa.func.substr(text, -characters)

    def is_moment(self, text: Text) -> Answer:
        """Tell whether a text is a date, or begins with one and a T."""
        return sa.or_(*(text.op("GLOB")(_DAY_GLOB + rest) for rest in ("", "T*")))

    def bytewise(self, text: Text) -> Text:
        """Return the text: SQLite knows no other order."""
        return text


@dataclass(frozen=True, slots=True)
class SqliteRecord:
    """The members of a JSON object in a column."""

    column: Text
    tongue: Tongue = field(default_factory=Sqlite)

    def value(self, name: str) -> Value:
        """Return the member of that name."""
        path = f'$."{name}"'
        kind = sa.func.json_type(self.column, path)
        each = sa.func.json_each(self.column, path).table_valued("value", "type").alias()
        return _sqlite_value(
            kind,
            sa.func.json_extract(self.column, path),
            lambda test: sa.and_(
                kind == "array",
                sa.exists().where(test(_sqlite_value(each.c.type, each.c.value))),
            ),
        )


def _sqlite_value(
    kind: Text,
    found: sa.ColumnElement[Any],
    some_element: Callable[[Callable[[Value], Answer]], Answer] | None = None,
) -> Value:
    return Value(
        sa.func.nullif(kind, "null"),
        sa.case((kind == "text", found)),
        sa.case((kind.in_(["integer", "real"]), found)),
        kind == "true",
        kind == "false",
        some_element,
    )


# PostgreSQL


class Postgres:
    """PostgreSQL's words."""

    def exact(self, number: float) -> Number:
        """Return a numeric, as a double is one to 15 digits only."""
        return sa.cast(sa.literal(str(Decimal(repr(number))), sa.Text), sa.Numeric)

    def has_part(self, text: Text, part: str) -> Answer:
        """Tell whether a text holds another one."""
        return sa.func.strpos(text, part) > 0

    def last(self, text: Text, characters: int) -> Text:
        """Return the last characters of a text."""
        return sa.func.right(text, characters)

    def is_moment(self, text: Text) -> Answer:
        """Tell whether a text is a date, or begins with one and a T."""
        return text.op("~")(_DAY_REGEX)

    def bytewise(self, text: Text) -> Text:
        """Return the text in the order of the locale C."""
        return sa.collate(text, "C")


@dataclass(frozen=True, slots=True)
class PostgresRecord:
    """The members of a JSON object in a column; those in `known` were taken out of it before."""

    column: Text
    known: Mapping[str, sa.ColumnElement[Any]] = field(default_factory=dict)
    tongue: Tongue = field(default_factory=Postgres)

    def value(self, name: str) -> Value:
        """Return the member of that name."""
        member = self.known.get(name)
        if member is None:
            member = _member(self.column, name)
        return _postgres_value(member, is_list=True)


def taken_out(column: Text, names: Iterable[str]) -> sa.TableValuedAlias | None:
    """Return members of a JSON object as one table, so that its text is parsed once.

    Those whose names are too long for columns are left out; None where nothing is left.
    """
    short = [one for one in names if len(one.encode()) <= _NAME_BYTES]
    if not short:
        return None
    columns = (sa.column(one, sa.JSON) for one in short)
    found = sa.func.json_to_record(sa.cast(column, sa.JSON)).table_valued(*columns)
    return found.render_derived(name="known", with_types=True)


def _member(column: Text, name: str) -> sa.ColumnElement[Any]:
    return sa.type_coerce(sa.cast(column, sa.JSON).op("->")(name), sa.JSON)


def _postgres_value(found: sa.ColumnElement[Any], *, is_list: bool = False) -> Value:
    kind = sa.func.json_typeof(found)
    text = sa.type_coerce(found.op("#>>")(sa.literal_column("'{}'")), sa.Text)

    def some_element(test: Callable[[Value], Answer]) -> Answer:
        items = sa.case((kind == "array", found), else_=sa.cast(sa.literal_column("'[]'"), sa.JSON))
        each = sa.func.json_array_elements(items).table_valued(sa.column("value", sa.JSON)).alias()
        return sa.exists().where(test(_postgres_value(each.c.value)))

    return Value(
        sa.func.nullif(kind, "null"),
        sa.case((kind == "string", text)),
        sa.case((kind == "number", sa.cast(text, sa.Numeric))),
        sa.and_(kind == "boolean", text == "true"),
        sa.and_(kind == "boolean", text == "false"),
        some_element if is_list else None,
    )


# identifiers


@dataclass(frozen=True, slots=True)
class Columns:
    """Values that are columns of texts, and those of another record for all other names."""

    columns: Mapping[str, Text]
    others: Record

    @property
    def tongue(self) -> Tongue:
        """Return what the database says in its own words."""
        return self.others.tongue

    def value(self, name: str) -> Value:
        """Return a column or another value."""
        if name not in self.columns:
            return self.others.value(name)
        text = self.columns[name]
        kind = sa.case((text.is_not(None), "text"))
        return Value(kind, text, sa.null(), sa.false(), sa.false())
