"""What MySQL says about errors and rights, in our words."""

import re
from collections.abc import Sequence

from rowlift.core.errors import ConnectError, SourceError
from rowlift.core.nouns import Finding
from rowlift.core.rules import rule
from rowlift.sources.dialects import mysql as data
from rowlift.sources.dialects.mysql_columns import quoted

UNREACHED = {"CONNECT_FAILED", "DATABASE_UNKNOWN", "LOGIN_FAILED", "TLS_FAILED"}
_GRANT = re.compile(r"GRANT (?P<rights>.+?) ON (?P<on>\S+) TO (?P<account>\S+)")
_PANIC = re.compile(r"ERROR (\d+) \(\w*\): (.*?) \}", re.DOTALL)
_LOST = re.compile(r"\b(IO error|CodecError|IoError|DriverError)\b")
_VERSION = re.compile(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)")  # MariaDB may put an old one in front
LOST, UNKNOWN = 2013, 0


def error(
    number: int, message: str, *, account: str = "", where: str = "", connecting: bool = False
) -> SourceError:
    """Return our error for the server's number and text; `where` is host and port."""
    code = data.ERRORS.get(number, "QUERY_FAILED")
    code = "CONNECT_FAILED" if connecting and code in {"SOURCE_DROPPED", "QUERY_FAILED"} else code
    kind = ConnectError if connecting or code in UNREACHED else SourceError
    said = "" if code == "CONNECT_FAILED" else f": {message}"
    text = f"{where}: {rule(code).title}{said}" if kind is ConnectError else rule(code).title + said
    mend = _grants(message, account) if code == "PERMISSION_DENIED" else _call(message, account)
    return kind(code, text, mend=mend or data.MENDS.get(number) or rule(code).mend)


def last_words(text: str) -> tuple[int, str]:
    """Return the server's number and text out of what the fast reader said when it died."""
    if found := _PANIC.search(text):
        return int(found[1]), found[2]
    return (LOST if _LOST.search(text) or not text.strip() else UNKNOWN), _last_line(text)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else "the reader was killed"


def _grants(message: str, account: str) -> str:
    for pattern in data.DENIED:
        if found := re.search(pattern, message):
            parts = found.groupdict("")
            if database := parts.get("database"):
                what = f"{quoted(database)}.*"
            else:
                names = filter(None, (parts.get("first"), parts.get("second")))
                what = ".".join(map(quoted, names))
            return data.GRANT.format(what=what, account=account or f"'{parts['user']}'@'%'")
    return ""


def _call(message: str, account: str) -> str:
    found = re.search(data.NOT_CALLED, message)
    if not found:
        return ""
    what = ".".join(map(quoted, (found["database"], found["name"])))
    return data.GRANT_CALL.format(what=what, account=account or f"'{found['user']}'@'%'")


def account(grants: Sequence[str]) -> str:
    """Return the account as the server names it in SHOW GRANTS."""
    found = next(filter(None, map(_GRANT.search, grants)), None)
    return found["account"] if found else ""


def rights(grants: Sequence[str]) -> tuple[set[str], set[str]]:
    """Return the rights that no read-only session contains, and all others that could write."""
    unsafe: set[str] = set()
    writing: set[str] = set()
    for found in filter(None, map(_GRANT.search, grants)):
        names = {name.strip() for name in re.sub(r"\([^)]*\)", "", found["rights"]).split(",")}
        everywhere = found["on"] == "*.*"
        unsafe |= {f"{name} ON *.*" for name in names & (data.UNSAFE | data.ALL) if everywhere}
        writing |= {f"{name} ON {found['on']}" for name in names - data.HARMLESS}
    return unsafe, writing - unsafe


def supported(version: str) -> Finding:
    """Judge what the server says it is."""
    product = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    found = _VERSION.match(version)
    oldest = data.OLDEST[product]
    if found and tuple(map(int, found.groups())) < oldest:
        least = ".".join(map(str, oldest))
        text = f"{product} {version} cannot end a query that takes too long."
        return Finding("version", "error", text, f"Upgrade it to {least} or later.")
    return Finding("version", "ok", version)


def read_only(grants: Sequence[str], database: str, *, allow_unsafe: bool) -> Finding:
    """Judge what the user could do besides reading."""
    unsafe, writing = rights(grants)
    mend = data.MAKE_READER.format(database=quoted(database))
    if unsafe:
        level = "warning" if allow_unsafe else "error"
        text = f"{rule('UNSAFE_USER').title}: {', '.join(sorted(unsafe))}"
        return Finding(
            "read_only", level, text, f"{rule('UNSAFE_USER').mend} {mend}", "UNSAFE_USER"
        )
    if writing:
        text = f"{rule('WRITE_RIGHTS').title}: {', '.join(sorted(writing))}"
        return Finding("read_only", "warning", text, mend, "WRITE_RIGHTS")
    return Finding("read_only", "ok", "The user can only read.")
