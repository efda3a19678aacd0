"""Queries written for people: one table's columns under chosen names, in a dialect's own words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import sqlglot
from sqlglot import exp

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


def translated(sql: str, dialect: str) -> str:
    """Return a query in plain words of PostgreSQL as another dialect reads it.

    Most read it as it is written, with its lines and comments.
    """
    if dialect != "tsql":
        return sql
    query = sqlglot.parse_one(sql, read="postgres")
    return query.transform(_bit).sql(dialect, pretty=True)


def _bit(node: exp.Expr) -> exp.Expr:
    is_one = isinstance(node, exp.Boolean)
    return exp.cast(exp.Literal.number(int(node.this)), "BIT") if is_one else node


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
