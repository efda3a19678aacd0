"""A query put into parentheses, where a dialect does not let all of it stand there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import Token, TokenType
from sqlglot.dialects.dialect import Dialect

_DEPTH = {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}
_DISTINCT = (TokenType.ALL, TokenType.DISTINCT)


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What may stand in parentheses, and what then has to come before and after everything."""

    inner: str
    before: str = ""
    after: str = ""


def enclosed(sql: str, dialect: str) -> Enclosed:
    """Return a guarded query in parts; only T-SQL's WITH, ORDER BY and OPTION are in the way."""
    if dialect != "tsql":
        return Enclosed(sql)
    outer = list(_outermost(Dialect.get_or_raise(dialect).tokenize(sql)))
    kinds = [token.token_type for token in outer]
    begin, end = 0, len(sql)
    if kinds[:1] == [TokenType.WITH] and TokenType.SELECT in kinds:
        begin = outer[kinds.index(TokenType.SELECT)].start
    if TokenType.OPTION in kinds:
        end = outer[kinds.index(TokenType.OPTION)].start
    every_row = "\nOFFSET 0 ROWS" if _is_only_ordered(kinds) else ""
    return Enclosed(sql[begin:end] + every_row, sql[:begin], sql[end:])


def _outermost(tokens: Sequence[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth += _DEPTH.get(token.token_type, 0)
        if depth == 0:
            yield token


def _is_only_ordered(kinds: Sequence[TokenType]) -> bool:
    """Tell whether an order stands without the limit that would let it stand in parentheses."""
    if TokenType.ORDER_BY not in kinds or TokenType.OFFSET in kinds:
        return False
    selected = kinds[kinds.index(TokenType.SELECT) + 1 :] if TokenType.SELECT in kinds else []
    return [kind for kind in selected if kind not in _DISTINCT][:1] != [TokenType.TOP]
