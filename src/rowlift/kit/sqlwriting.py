"""Queries written for people: one table's columns under chosen names, in a dialect's own words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

Comparison = Literal["is", "is_not", "contains", "over", "under", "missing", "present"]
_COMPARED: Mapping[str, type[exp.Binary]] = {
    "is": exp.EQ, "is_not": exp.NEQ, "over": exp.GT, "under": exp.LT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are meant: those whose column compares so with a value."""

    column: str
    comparison: Comparison
    value: str = ""
    type: Literal["text", "number", "bool"] = "text"


def select(
    dialect: str,
    table: Sequence[str],
    columns: Mapping[str, str],
    filters: Sequence[Filter] = (),
) -> str:
    """Return a query of a table: output name by column, where all filters hold.

    Names are quoted, and kept exactly as they are.
    """
    names = [_named(column, output) for column, output in columns.items()]
    query = exp.select(*names).from_(whole(table))
    return query.where(*map(_condition, filters)).sql(dialect, pretty=True)


def everything(dialect: str, table: Sequence[str]) -> str:
    """Return the query of a whole table."""
    return exp.select("*").from_(whole(table)).sql(dialect)


def whole(table: Sequence[str]) -> exp.Table:
    """Return a table by the parts of its name, of which any but the last may be empty."""
    *above, name = (exp.to_identifier(part, quoted=True) for part in table if part)
    places = dict(zip(("db", "catalog"), reversed(above), strict=False))
    return exp.Table(this=name, **places)


@lru_cache(maxsize=256)
def translated(sql: str, dialect: str) -> str:
    """Return a query in plain words of PostgreSQL as another dialect reads it.

    It stays as it is written, with its lines, where the dialect has the same words for it.
    """
    query = sqlglot.parse_one(sql, read="postgres").transform(_as_sorted, dialect)
    text = query.transform(_REWRITES.get(dialect, _as_is)).sql(dialect, pretty=True)
    return sql if text == query.sql("postgres", pretty=True) else text


def _as_sorted(node: exp.Expr, dialect: str) -> exp.Expr:
    """Let each dialect sort nulls where it does by itself: these queries sort none."""
    if isinstance(node, exp.Ordered):
        ordering = Dialect.get_or_raise(dialect).NULL_ORDERING
        is_first = bool(node.args.get("desc")) == (ordering == "nulls_are_large")
        node.set("nulls_first", is_first and ordering != "nulls_are_last")
    return node


def _as_is(node: exp.Expr) -> exp.Expr:
    return node


def _tsql(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Boolean):
        return exp.cast(exp.Literal.number(int(node.this)), "BIT")
    if isinstance(node, exp.UnixToTime):
        return _call("DATEADD", exp.var("SECOND"), node.this, exp.Literal.string("1970-01-01"))
    if ago := _ago(node):
        number, unit = ago
        return _call("DATEADD", exp.var(unit), exp.Literal.number(-number), _call("SYSUTCDATETIME"))
    return node


def _sqlite(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.UnixToTime):
        return _call("DATETIME", node.this, exp.Literal.string("unixepoch"))
    if ago := _ago(node):
        number, unit = ago
        since = exp.Literal.string(f"-{number} {unit.lower()}s")
        return _call("DATETIME", exp.Literal.string("now"), since)
    return node


_REWRITES: Mapping[str, Callable[[exp.Expr], exp.Expr]] = {"tsql": _tsql, "sqlite": _sqlite}


def _ago(node: exp.Expr) -> tuple[int, str] | None:
    """Return the number and unit of `current_timestamp - interval 'N units'`."""
    since = node.expression if isinstance(node, exp.Sub) else None
    if not (isinstance(since, exp.Interval) and since.this and since.unit):
        return None
    return int(since.this.name), since.unit.name.upper().removesuffix("S")


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _named(column: str, output: str) -> exp.Expr:
    own = exp.column(exp.to_identifier(column, quoted=True))
    return own if column == output else exp.alias_(own, exp.to_identifier(output, quoted=True))


def _condition(one: Filter) -> exp.Expr:
    column = exp.column(exp.to_identifier(one.column, quoted=True))
    if one.comparison in {"missing", "present"}:
        nothing: exp.Expr = exp.null()
        is_asked = one.comparison == "missing"
        return exp.Is(this=column, expression=nothing if is_asked else exp.Not(this=nothing))
    if one.comparison == "contains":
        return exp.Like(this=column, expression=exp.Literal.string(f"%{one.value}%"))
    return _COMPARED[one.comparison](this=column, expression=_literal(one))


def _literal(one: Filter) -> exp.Expr:
    if one.type == "bool":
        return exp.Boolean(this=one.value.lower() == "true")
    return (exp.Literal.number if one.type == "number" else exp.Literal.string)(one.value)
