"""What SQL Server says about errors and rights, in our words."""

import re
from collections.abc import Iterable

from rowlift.core.errors import ConnectError, SourceError
from rowlift.core.nouns import Finding
from rowlift.core.rules import rule
from rowlift.sources.dialects import sqlserver as data
from rowlift.sources.dialects.sqlserver_columns import quoted

UNREACHED = {"CONNECT_FAILED", "DATABASE_UNKNOWN", "LOGIN_FAILED", "TLS_FAILED"}
_PREFIXES = re.compile(r"\[(Microsoft|SQL Server|ODBC Driver [^]]*)\]")


def error(said: str, number: int = 0, *, user: str, where: str, connecting: bool) -> SourceError:
    """Return our error for the server's text and number; `where` is host and port."""
    text = " ".join(_PREFIXES.sub("", said).split()) or "the reader was killed"
    found = (code for pattern, code in data.ERRORS if re.search(pattern, text))
    otherwise = "CONNECT_FAILED" if connecting else "QUERY_FAILED"
    code = data.NUMBERS.get(number) or next(found, otherwise)
    if connecting and code == "SOURCE_DROPPED":
        code = "CONNECT_FAILED"
    kind = ConnectError if connecting or code in UNREACHED else SourceError
    place = f"{where}: " if kind is ConnectError else ""
    hidden = code == "CONNECT_FAILED" and re.search(data.UNREACHABLE, text)
    reason = "" if hidden else f": {text}"
    return kind(code, f"{place}{rule(code).title}{reason}", mend=_mend(code, text, quoted(user)))


def plain(code: str) -> SourceError:
    """Return the error of a rule in the rule's own words."""
    return SourceError(code, rule(code).title, mend=rule(code).mend)


def _mend(code: str, text: str, user: str) -> str:
    if code == "PERMISSION_DENIED" and (found := re.search(data.DENIED, text)):
        table = f"{quoted(found['schema'])}.{quoted(found['table'])}"
        return data.GRANT_TABLE.format(table=table, user=user)
    found_mends = (mend for pattern, mend in data.MENDS if re.search(pattern, text))
    return next(found_mends, rule(code).mend).replace("{user}", user)


def read_only(rights: Iterable[tuple[str, str]], *, allow_unsafe: bool) -> Finding:
    """Judge what the user could do besides reading."""
    unsafe = [n for s, n in rights if s == "server" or n in data.UNSAFE_DATABASE_RIGHTS]
    writing = [n for s, n in rights if s != "server" and n not in data.UNSAFE_DATABASE_RIGHTS]
    if unsafe:
        level = "warning" if allow_unsafe else "error"
        text = f"{rule('UNSAFE_USER').title}: {', '.join(unsafe)}"
        mend = f"{rule('UNSAFE_USER').mend} {data.MAKE_READER}"
        return Finding("read_only", level, text, mend, "UNSAFE_USER")
    if writing:
        text = f"{rule('WRITE_RIGHTS').title}: {', '.join(writing)}"
        return Finding("read_only", "warning", text, data.MAKE_READER, "WRITE_RIGHTS")
    return Finding("read_only", "ok", "The user can only read.")
