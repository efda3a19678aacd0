"""What the text of a query gives to advise: the columns of its cursor, and its LIMIT."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from rowlift.kit.sqlguard import render, uses_last_sync_time

_MARK = 1_987_654_321  # stands for the moment, and nowhere else in a query
_COMPARED = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ, exp.Between)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A column that is compared with the moment; the table is empty where it cannot be told.

    `index` is the statement that makes an index on it, with the names as the query writes them.
    `alone` reads the column alone, if it is compared with the seconds as they stand.
    """

    table: str
    column: str
    index: str = ""
    alone: str = ""


def cursors(sql: str, dialect: str) -> tuple[Cursor, ...]:
    """Return what a query compares with the moment; nothing of one that cannot be read."""
    reader = Dialect.get_or_raise(dialect)
    try:
        (query,) = reader.parse(render(sql, _MARK, dialect))
    except (SqlglotError, RecursionError, ValueError):
        return ()
    return tuple(dict.fromkeys(_found(query, reader))) if query else ()


def limit_told(sql: str) -> str:
    """Say what becomes of the rows beyond the LIMIT of a query."""
    if uses_last_sync_time(sql):
        return "Rows beyond the LIMIT are lost: last_sync_time moves past them all the same."
    return "Rows beyond the LIMIT are never read, and which ones these are may change."


def _found(query: exp.Expr, reader: Dialect) -> Iterator[Cursor]:
    for compared in query.find_all(*_COMPARED):
        sides = [one for one in compared.args.values() if isinstance(one, exp.Expr)]
        if any(_has_mark(one) for one in sides):
            is_converted = any(one.find(exp.Func, exp.Interval) for one in sides)
            for column in compared.find_all(exp.Column):
                found = _cursor(column, reader)
                yield replace(found, alone="") if is_converted else found


def _has_mark(side: exp.Expr) -> bool:
    return any(literal.name == str(_MARK) for literal in side.find_all(exp.Literal))


def _cursor(column: exp.Column, reader: Dialect) -> Cursor:
    """Return a column with its table: it may be named by an alias, or be the only one."""
    name = _name(column, reader)
    select = column.find_ancestor(exp.Select)
    tables = list(select.find_all(exp.Table)) if select else []
    named = [one for one in tables if one.alias_or_name == column.table] if column.table else tables
    if len(named) != 1 or not isinstance(named[0].this, exp.Identifier):
        return Cursor("", name)
    table, on = _name(named[0], reader), named[0].copy()
    on.set("alias", None)
    index = re.sub(r"\W", "_", f"{table}_{name}", flags=re.ASCII)
    indexed = f"{on.sql(reader)} ({column.this.sql(reader)})"
    alone = f"SELECT {column.this.sql(reader)} FROM {on.sql(reader)}"
    return Cursor(table, name, f"CREATE INDEX {index} ON {indexed};", alone)


def _name(node: exp.Column | exp.Table, reader: Dialect) -> str:
    return str(reader.normalize_identifier(node.this.copy()).name)
