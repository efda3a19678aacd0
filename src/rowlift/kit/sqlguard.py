"""The first of three layers that keep a source read-only: the query's text is read before it runs.

It gives good messages early. It is never the only defence: the session is read-only and the user's
rights are checked too.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, NoReturn

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, SqlglotError

from rowlift.core.errors import Place, SourceError

MAX_CHARACTERS = 500_000  # sqlglot reads about 200,000 characters a second
MOST_KEPT = 20_000  # characters of a query that is not read again

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of statements refused here anyway

WRITES = (
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
    exp.Create,
    exp.Drop,
    exp.Alter,
    exp.Copy,
    exp.Into,
    exp.Lock,
    exp.Set,
    exp.Use,
    exp.Command,
    exp.Transaction,
    exp.Commit,
    exp.Rollback,
    exp.LoadData,
    exp.TruncateTable,
    exp.Pragma,
    exp.Attach,
    exp.Detach,
    exp.Kill,
    exp.Grant,
    exp.NextValueFor,
)

WORDS = {"lock": "locking rows", "nextvaluefor": "NEXT VALUE FOR", "command": "a command"}
BEGINNINGS = {"SELECT", "WITH", "(", "VALUES", "TABLE", "FROM", "PIVOT", "UNPIVOT", "SUMMARIZE"}
WRITING_WORDS = (TokenType.INTO,)  # reserved: INTO table, INTO OUTFILE, INTO @x, INSERT INTO
JUDGES = {
    "bigquery",
    "duckdb",
    "mysql",
    "postgres",
    "sqlite",
}  # they write nothing, whatever it says
UNREAD_WORDS = {"DELETE", "INSERT", "LOCK", "MERGE", "NEXT", "SHARE", "UPDATE"}
LIMITS = {"FETCH", "LIMIT", "OFFSET"}
QUOTED = {TokenType.IDENTIFIER, TokenType.NATIONAL_STRING, TokenType.STRING}
# T-SQL needs nothing between two statements; these reserved words begin one, but are taken for an
# alias by the parser.
STATEMENT_WORDS = {
    "tsql": r"""alter | backup | begin | break | checkpoint | close | commit | continue | create
        | dbcc | deallocate | declare | deny | drop | dump | exec(ute)? | goto | grant | if | kill
        | load | open | print | raiserror | readtext | reconfigure | restore | return | revert
        | revoke | rollback | save | setuser | shutdown | truncate | updatetext | use | waitfor
        | while | writetext""",
}
LOCKING_WORDS = {"tsql": "holdlock | tablockx? | updlock | xlock"}

EFFECTS = {
    "bigquery": r"external_query",
    "postgres": r"""pg_(read|ls|file|create|drop|logical|replication|advisory|try_advisory|backup
        |start_backup|stop_backup|switch|stat_reset|stat_file|terminate|cancel|reload|rotate|sleep
        |notify|promote|export_snapshot|wal_replay|import|log_backend)\w* | lo_\w+ | lowrite
        | dblink\w* | nextval | setval | set_config | xmlparse_file
        | (query|table|schema|database|cursor)_to_xml\w*""",
    "redshift": r"""pg_(cancel|terminate|sleep|read|ls|stat_file|advisory|try_advisory)\w*
        | lo_\w+ | nextval | setval | set_config | dblink\w* | ai_\w+ | explain_model""",
    "mysql": r"""sleep | benchmark | load_file | get_lock | release_lock | release_all_locks
        | (master|source)_\w*wait\w* | wait_for_executed_gtid_set | sys_(exec|eval|get|set)
        | nextval | setval | lastval""",
    "duckdb": r"""getenv | glob | read_(csv|csv_auto|parquet|json|json_auto|json_objects\w*
        |ndjson\w*|text|blob|xlsx) | parquet_\w+ | sniff_csv | nextval | query | query_table
        | \w+_(scan|query|attach|execute) | checkpoint | force_checkpoint | which_secret
        | duckdb_(secrets|settings) | (enable|disable)_(logging|profiling)
        | (write|truncate_duckdb|parse_duckdb)_logs?\w* | json_execute_serialized_sql""",
    "snowflake": r"system\$(?!typeof)\w+ | nextval | getnextval",
    "tsql": r"""openrowset | openquery | opendatasource | xp_\w+ | sp_\w+ | fn_trace_\w+
        | fn_get_audit_file\w* | fn_xe_\w+ | fn_(dump_)?dblog\w* | fn_full_dblog
        | dm_os_(file_exists|enumerate_\w+)""",
    "sqlite": r"load_extension | readfile | writefile | edit | fts3_tokenizer | fsdir",
}


def _patterns(by_dialect: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    return {
        dialect: re.compile("".join(pattern.split()), re.IGNORECASE)
        for dialect, pattern in by_dialect.items()
    }


_EFFECTS, _STATEMENTS, _LOCKS = map(_patterns, (EFFECTS, STATEMENT_WORDS, LOCKING_WORDS))
# Snowflake's ->> hands the rows of one statement on to the next.
SEPARATORS = {"snowflake": {TokenType.SEMICOLON, TokenType.DARROW}}
_EXECUTABLE_COMMENT = re.compile(r"/\*M?!")
_LEXEME = re.compile(
    r"""(?P<comment> --[^\n]* | /\*.*?\*/ )
      | (?P<string> '(?:[^']|'')*' | "(?:[^"]|"")*" )
      | (?P<tag> \{\{ [^{}]* \}\} )""",
    re.VERBOSE | re.DOTALL,
)
_TAG = re.compile(r"\{\{([^{}]*)\}\}")
LAST_SYNC_TIME = "last_sync_time"
NAMES_OR_TEXTS = {("sqlite", '"')}  # a text, where no column is called so
BRACES = {  # as data, no template
    "mysql": "CONCAT('{', '{…}}')",
    "sqlite": "'{' || '{…}}', or [a {{name}}],",
    "tsql": "'{' + '{…}}'",
}


@dataclass(frozen=True, slots=True)
class Unread:
    """Where our parser stumbled over a query that the source may well understand."""

    near: str
    place: Place

    @property
    def message(self) -> str:
        return f"Rowlift cannot read the query near {self.near[:40]!r}; the source has to judge it."


@dataclass(frozen=True, slots=True)
class GuardedQuery:
    """One query that was read and found harmless.

    `sql` ends with the query's last token, so it can be put into parentheses. `named` holds the
    output columns as the source will name them: none where a star hides them, "" for an expression
    without AS. `tables` holds the parts of each table's name, from catalogue to table. What is
    `unread` has neither names nor tables.
    """

    sql: str
    named: tuple[str, ...] = ()
    has_limit: bool = False
    tables: tuple[tuple[str, ...], ...] = ()
    unread: Unread | None = None


def guard(sql: str, dialect: str) -> GuardedQuery:
    """Return the one query a text holds, read as far as our parser can.

    What it cannot read is left to sources that describe a query in a session that cannot write, if
    every word of it is harmless. Raises SourceError SQL_EMPTY, SQL_TOO_LONG, SQL_MANY_STATEMENTS,
    SQL_NOT_A_QUERY, SQL_WRITES, SQL_FUNCTION or SQL_UNREADABLE; line and column of the place count
    from 1.
    """
    return _kept(sql, dialect) if len(sql) <= MOST_KEPT else _read(sql, dialect)


def _read(sql: str, dialect: str) -> GuardedQuery:
    text = _acceptable(sql, dialect)
    reader = Dialect.get_or_raise(dialect)
    try:
        tokens = _one_statement(reader.tokenize(text), dialect)
        _refuse_words(tokens, dialect)
        query = _query(reader, tokens, text)
        _refuse_effects(query, dialect)
    except RecursionError:
        _refuse("SQL_UNREADABLE", "The query is nested too deep.", "Move inner parts into WITH.")
    except ParseError as error:
        unread = _unread(error)
        _refuse_unread(tokens, dialect, unread)
        limited = any(token.text.upper() in LIMITS for token in tokens)
        return GuardedQuery(_between(text, tokens), has_limit=limited, unread=unread)
    except SqlglotError:
        message = "The query cannot be read: a quote or a comment is not closed."
        _refuse("SQL_UNREADABLE", message, "Close every quote and comment.")
    return GuardedQuery(
        sql=_between(text, tokens),
        named=tuple(_names(query, reader)),
        has_limit=_has_limit(query),
        tables=tuple(dict.fromkeys(_tables(query, reader))),
    )


_kept = lru_cache(maxsize=256)(_read)  # a run asks four times, a service whenever it looks at files


def render(sql: str, last_sync_time: int, dialect: str) -> str:
    """Put the integer in place of each {{last_sync_time}}; comments stay as they are.

    Raises SourceError TEMPLATE_UNKNOWN for any other {{name}}, also inside a string; in a quoted
    name of a table or column the braces are the name's own.
    """
    value = str(int(last_sync_time))
    return _LEXEME.sub(lambda found: _rendered(found, sql, value, dialect), sql)


def uses_last_sync_time(sql: str) -> bool:
    """Tell whether a run's result is only what changed; a tag in a comment does not count."""
    return any(
        tag.strip() == LAST_SYNC_TIME
        for found in _LEXEME.finditer(sql)
        if not found["comment"]
        for tag in _TAG.findall(found[0])
    )


def _rendered(found: re.Match[str], sql: str, value: str, dialect: str) -> str:
    if found["comment"]:
        return found[0]

    def put(tag: re.Match[str]) -> str:
        at = found.start() + tag.start()
        if tag[1].strip() != LAST_SYNC_TIME:
            if _is_in_name(sql, at, dialect):
                return tag[0]
            _refuse_tag(sql, at, f"The query uses {tag[0][:60]}, which is not known.", dialect)
        if found["tag"] and _glued(sql, found):
            text = f"{tag[0]} must stand on its own, not inside a name."
            _refuse_tag(sql, at, text, dialect)
        return value

    return _TAG.sub(put, found[0])


def _is_in_name(sql: str, at: int, dialect: str) -> bool:
    """Tell whether a place is inside a table's or column's name that stands in quotes."""
    try:
        tokens = Dialect.get_or_raise(dialect).tokenize(sql)
    except SqlglotError:
        return False
    names = (token for token in tokens if token.token_type is TokenType.IDENTIFIER)
    around = next((sql[one.start] for one in names if one.start <= at <= one.end), "")
    return bool(around) and (dialect, around) not in NAMES_OR_TEXTS


def _glued(sql: str, found: re.Match[str]) -> bool:
    around = sql[max(found.start() - 1, 0) : found.start()] + sql[found.end() : found.end() + 1]
    return bool(re.search(r"[\w$]", around))


def _refuse_tag(sql: str, at: int, message: str, dialect: str) -> NoReturn:
    place = place_at(sql, at)
    braces = BRACES.get(dialect, "'{' || '{…}}'")
    mend = f"Only {{{{last_sync_time}}}} is known; write {braces} for braces that are data."
    raise SourceError("TEMPLATE_UNKNOWN", message, mend=mend, place=place)


def place_at(sql: str, at: int) -> Place:
    """Return the place of a character of a query."""
    before = sql[:at]
    return Place("query", before.count("\n") + 1, len(before) - before.rfind("\n"))


def _acceptable(sql: str, dialect: str) -> str:
    if len(sql) > MAX_CHARACTERS:
        _refuse(
            "SQL_TOO_LONG",
            f"The query has {len(sql):,} characters; at most {MAX_CHARACTERS:,} are read.",
            "Put long lists into a table and join it.",
        )
    if "\0" in sql:
        _refuse("SQL_UNREADABLE", "The query holds a NUL character.", "Remove it.")
    if dialect == "mysql" and _EXECUTABLE_COMMENT.search(sql):
        _refuse(
            "SQL_WRITES",
            "The query holds a comment that MySQL would execute (/*! … */).",
            "Remove the comment.",
        )
    return sql.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")


def _one_statement(tokens: Sequence[Token], dialect: str) -> list[Token]:
    kept = list(tokens)
    while kept and kept[-1].token_type is TokenType.SEMICOLON:
        kept.pop()
    while kept and kept[0].token_type is TokenType.SEMICOLON:
        kept.pop(0)
    if not kept:
        _refuse("SQL_EMPTY", "The query is empty.", "Write one SELECT.")
    separators = SEPARATORS.get(dialect, {TokenType.SEMICOLON})
    for token in kept:
        if token.token_type in separators:
            _refuse_second(Place("query", token.line, token.col))
    return kept


def _between(text: str, tokens: Sequence[Token]) -> str:
    """Keep what stands before the query, so that the source counts the same lines."""
    before, query = text[: tokens[0].start], text[tokens[0].start : tokens[-1].end + 1]
    return query if ";" in before else before + query


def _query(reader: Dialect, tokens: list[Token], text: str) -> exp.Expr:
    if tokens[0].text.upper() == "VALUES" and tokens[1:2] and tokens[1].text == "(":
        reader = Dialect()  # that of MySQL takes it for the function VALUES()
    (query,) = reader.parser().parse(tokens, text)
    if not isinstance(query, exp.Query | exp.Values):
        _refuse_statement(tokens[0])
    return query


def _refuse_words(tokens: list[Token], dialect: str) -> None:
    """Refuse what the words alone tell, since the parser only finds some of it unreadable."""
    if tokens[0].text.upper() not in BEGINNINGS:
        _refuse_statement(tokens[0])
    for token in tokens:
        if token.token_type in WRITING_WORDS:
            _refuse_write(token.text.upper(), _start(token))
        word = "" if token.token_type in QUOTED else token.text
        if dialect in _STATEMENTS and _STATEMENTS[dialect].fullmatch(word):
            _refuse_second(_start(token))
        if dialect in _LOCKS and _LOCKS[dialect].fullmatch(word):
            _refuse_write("locking rows", _start(token))


def _refuse_statement(first: Token) -> NoReturn:
    _refuse(
        "SQL_NOT_A_QUERY",
        f"The statement is not a query: it begins with {first.text[:30].upper()}.",
        "Write a SELECT; Rowlift never changes a source.",
        _start(first),
    )


def _refuse_second(place: Place) -> NoReturn:
    _refuse(
        "SQL_MANY_STATEMENTS",
        "There is more than one statement.",
        "Keep one SELECT; remove what follows it.",
        place,
    )


def _refuse_effects(query: exp.Expr, dialect: str) -> None:
    for node in query.walk():
        if isinstance(node, WRITES):
            _refuse_write(WORDS.get(type(node).key, type(node).key.upper()))
        for name in _called(node, dialect):
            _refuse_effect(name, dialect)


def _refuse_effect(function: str, dialect: str) -> None:
    effects = _EFFECTS.get(dialect)
    if effects and effects.fullmatch(function):
        _refuse(
            "SQL_FUNCTION",
            f"The query calls {function.lower()}, which has effects outside the query.",
            "Remove the call.",
        )


def _called(node: exp.Expr, dialect: str) -> Sequence[str]:
    """Return the names of the function that a node calls; Snowflake has numbers.NEXTVAL too."""
    if isinstance(node, exp.Anonymous):
        return [node.name]
    if isinstance(node, exp.Func):
        return type(node).sql_names()
    is_qualified = isinstance(node, exp.Column) and node.table
    return [node.name] if dialect == "snowflake" and is_qualified else []


def _names(query: exp.Expr, reader: Dialect) -> Iterator[str]:
    selects = query.selects if isinstance(query, exp.Query) else []
    if not query.is_star:
        yield from (_output_name(select, reader) for select in selects)


def _output_name(select: exp.Expr, reader: Dialect) -> str:
    named = select.args.get("alias") or select.this
    if isinstance(select, exp.Alias | exp.Column) and isinstance(named, exp.Identifier):
        return str(reader.normalize_identifier(named.copy()).name)
    return ""


def _has_limit(query: exp.Expr) -> bool:
    return any(query.args.get(part) is not None for part in ("limit", "offset", "fetch"))


def _tables(query: exp.Expr, reader: Dialect) -> Iterator[tuple[str, ...]]:
    local = {cte.alias for cte in query.find_all(exp.CTE)}
    for table in query.find_all(exp.Table):
        parts = [part for part in table.parts if isinstance(part, exp.Identifier)]
        if parts and not (len(parts) == 1 and parts[0].name in local):
            yield tuple(reader.normalize_identifier(part.copy()).name for part in parts)


def _unread(error: ParseError) -> Unread:
    first: dict[str, Any] = error.errors[0] if error.errors else {}
    near = str(first.get("highlight") or "")
    column = int(first.get("col", 1)) - len(near) + 1
    return Unread(near, Place("query", int(first.get("line", 1)), max(column, 1)))


def _refuse_unread(tokens: Sequence[Token], dialect: str, unread: Unread) -> None:
    """Refuse what the parser could not read, unless its words alone show that it is harmless."""
    for token, following in pairwise(tokens):
        if following.token_type is TokenType.L_PAREN:
            _refuse_effect(token.text, dialect)
    words = {token.text.upper() for token in tokens if token.token_type not in QUOTED}
    if dialect not in JUDGES or words & UNREAD_WORDS or not _is_closed(tokens):
        message = f"The query cannot be read near {unread.near[:40]!r}."
        _refuse("SQL_UNREADABLE", message, "Mend the SQL at the marked place.", unread.place)


def _is_closed(tokens: Sequence[Token]) -> bool:
    """Tell whether every parenthesis is closed, and none that the query did not open."""
    steps = {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}
    depths = list(accumulate(steps.get(token.token_type, 0) for token in tokens))
    return min(depths) >= 0 and depths[-1] == 0


def _refuse_write(what: str, place: Place | None = None) -> NoReturn:
    message = f"The query would write or lock: {what} is not allowed in it."
    _refuse("SQL_WRITES", message, "Remove the writing part; Rowlift only reads.", place)


def _start(token: Token) -> Place:
    return Place("query", token.line, max(token.col - len(token.text) + 1, 1))


def _refuse(code: str, message: str, mend: str, place: Place | None = None) -> NoReturn:
    raise SourceError(code, message, mend=mend, place=place)
