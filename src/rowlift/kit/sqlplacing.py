"""Queries over tables under names of ours, put on the tables that a source really has.

In such a query every column stands behind its table's alias, and no alias, column or output has the
name of a table.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.dialects.dialect import Dialect

WRITTEN_IN = "postgres"
_BRACED = re.compile(r"\{([^{}]+)\}")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset(  # by one of the dialects, and names of tables and columns somewhere
    {"case", "check", "column", "default", "end", "from", "group", "interval", "join", "lead"}
    | {"limit", "open", "order", "select", "table", "to", "user", "when", "where"}
)


@dataclass(frozen=True, slots=True)
class Placed:
    """What stands for a table: a text for FROM, and an expression of {names} for each column."""

    text: str
    columns: Mapping[str, str]


def columns_read(sql: str, tables: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Return which columns of which tables a query reads; `tables` gives all that there are."""
    query = sqlglot.parse_one(sql, read=WRITTEN_IN)
    aliases = _aliases(query, tables)
    read: dict[str, list[str]] = {table: [] for table in aliases.values()}
    for column in query.find_all(exp.Column):
        table = aliases.get(column.table)
        if table and column.name not in read[table]:
            read[table].append(column.name)
    return read


def placed(sql: str, tables: Mapping[str, Placed]) -> str:
    """Return a query with tables and columns in the place of our names; its lines stay.

    A column that is selected as it is keeps our name.
    """
    query = sqlglot.parse_one(sql, read=WRITTEN_IN)
    bare = {one.this.meta["end"] for one in _selected(query)}
    tokens = Dialect.get_or_raise(WRITTEN_IN).tokenize(sql)
    made, at = "", 0
    for start, last, text in _replacements(tokens, _aliases(query, tables), tables):
        name = sql[start : last + 1].rpartition(".")[2]
        is_renamed = last in bare and text.rpartition(".")[2] != name
        made += sql[at:start] + (f"{text} as {name}" if is_renamed else text)
        at = last + 1
    return made + sql[at:]


def named(expression: str) -> list[str]:
    """Return the columns that an expression names in braces."""
    return _BRACED.findall(expression)


def renamed(expression: str, names: Callable[[str], str]) -> str:
    """Return an expression with other names in its braces."""
    return _BRACED.sub(lambda found: "{" + names(found[1]) + "}", expression)


def quoted(name: str, dialect: str) -> str:
    """Return a name as these queries write it: in quotes where the dialect would not keep it."""
    reader = Dialect.get_or_raise(dialect)
    for spelled in (name.lower(), name):
        is_free = _PLAIN.fullmatch(spelled) and spelled.lower() not in _RESERVED
        if is_free and reader.normalize_identifier(exp.to_identifier(spelled)).name == name:
            return spelled
    return exp.to_identifier(name, quoted=True).sql(WRITTEN_IN)


def _aliases(query: exp.Expr, tables: Mapping[str, object]) -> dict[str, str]:
    found = query.find_all(exp.Table)
    return {one.alias_or_name: one.name for one in found if one.name in tables and not one.db}


def _selected(query: exp.Expr) -> Iterator[exp.Column]:
    """Yield the columns that stand alone between SELECT and FROM."""
    for select in query.find_all(exp.Select):
        yield from (one for one in select.expressions if isinstance(one, exp.Column))


def _replacements(
    tokens: list[Token], aliases: Mapping[str, str], tables: Mapping[str, Placed]
) -> Iterator[tuple[int, int, str]]:
    """Yield what is put where: the first and the last character, and the text."""
    before, behind = [None, *tokens], [*tokens[1:], None]
    for index, token in enumerate(tokens):
        is_name = not _is_dot(before[index])
        if is_name and token.text in tables and not _is_dot(behind[index]):
            yield token.start, token.end, tables[token.text].text
        elif is_name and token.text in aliases and _is_dot(behind[index]):
            column = tokens[index + 2]
            made = tables[aliases[token.text]].columns[column.text]
            yield token.start, column.end, _BRACED.sub(rf"{token.text}.\1", made)


def _is_dot(token: Token | None) -> bool:
    return token is not None and token.token_type is TokenType.DOT
