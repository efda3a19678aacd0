"""What the text of a query gives to advise: the columns of its cursor, and its LIMIT."""

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from rowlift.kit.sqlguard import render, uses_last_sync_time

_MARK = 1_987_654_321  # stands for the moment, and nowhere else in a query
_COMPARED = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ, exp.Between)


def cursor_columns(sql: str, dialect: str) -> tuple[tuple[str, str], ...]:
    """Return table and column of what is compared; the table is empty where it cannot be told.

    Nothing is returned of a query that cannot be read.
    """
    reader = Dialect.get_or_raise(dialect)
    try:
        (query,) = reader.parse(render(sql, _MARK))
    except (SqlglotError, RecursionError, ValueError):
        return ()
    return tuple(dict.fromkeys(_found(query, reader))) if query else ()


def limit_told(sql: str) -> str:
    """Say what becomes of the rows beyond the LIMIT of a query."""
    if uses_last_sync_time(sql):
        return "Rows beyond the LIMIT are lost: last_sync_time moves past them all the same."
    return "Rows beyond the LIMIT are never read, and which ones these are may change."


def _found(query: exp.Expr, reader: Dialect) -> Iterator[tuple[str, str]]:
    for compared in query.find_all(*_COMPARED):
        sides = [one for one in compared.args.values() if isinstance(one, exp.Expr)]
        if any(_has_mark(one) for one in sides):
            for column in compared.find_all(exp.Column):
                name = reader.normalize_identifier(column.this.copy()).name
                yield _table(column, reader), name


def _has_mark(side: exp.Expr) -> bool:
    return any(literal.name == str(_MARK) for literal in side.find_all(exp.Literal))


def _table(column: exp.Column, reader: Dialect) -> str:
    """Return the table that a column is of; it may be named by an alias, or be the only one."""
    select = column.find_ancestor(exp.Select)
    tables = list(select.find_all(exp.Table)) if select else []
    named = [one for one in tables if one.alias_or_name == column.table] if column.table else tables
    if len(named) != 1 or not isinstance(named[0].this, exp.Identifier):
        return ""
    return str(reader.normalize_identifier(named[0].this.copy()).name)
