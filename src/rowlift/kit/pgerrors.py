"""The errors of a PostgreSQL-like server, in our words and without any secret."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rowlift.core.errors import ConnectError, SourceError
from rowlift.kit.pgdialect import Failure, PgDialect, Texts
from rowlift.kit.sqlguard import place_at

_DENIED = re.compile(
    "permission denied for (?P<kind>schema|function|sequence|relation|(?:foreign )?table|"
    "(?:materialized )?view) (?P<name>.+)"
)
_PLAIN = re.compile("[a-z_][a-z0-9_]*")
_RIGHTS = {
    "function": "EXECUTE ON FUNCTION",
    "schema": "USAGE ON SCHEMA",
    "sequence": "SELECT ON SEQUENCE",
}
BEFORE_LOGIN = frozenset({"CONNECT_FAILED", "LOGIN_FAILED", "TLS_FAILED", "DATABASE_UNKNOWN"})


@dataclass(frozen=True, slots=True)
class Explainer:
    """Turns a driver's error into a SourceError; `facts` fill the braces of the messages."""

    dialect: PgDialect
    facts: Mapping[str, str]
    secrets: tuple[str, ...] = ()

    def connecting(self, error: Exception) -> ConnectError:
        """Explain why there is no session; unreachable, refused and unknown hosts read the same."""
        found = self._failure(error, self.dialect.connecting_texts)
        if found.code not in BEFORE_LOGIN:
            found = self.dialect.otherwise_unreachable
        return ConnectError(found.code, self._filled(found.message, error), mend=self._mend(found))

    def running(self, error: Exception, *, cancelled: bool = False) -> SourceError:
        """Explain why a query failed."""
        found = self._failure(error, self.dialect.running_texts)
        if cancelled or (found.code == "QUERY_TIMEOUT" and "user request" in str(error)):
            found = self.dialect.cancelled
        mend = self._scrubbed(_diag(error, "message_hint")) or self._mend(found)
        if found.code == "PERMISSION_DENIED":
            mend = _grant(_first_line(error), self.facts["user"]) or mend
        return SourceError(found.code, self._filled(found.message, error), mend=mend)

    def describing(self, error: Exception, sql: str, before: int) -> SourceError:
        """Explain why a query cannot run; `before` characters were put in front of its text."""
        explained = self.running(error)
        position = int(_diag(error, "statement_position") or 0) - before
        if position > 0:
            explained.place = place_at(sql, position - 1)
        return explained

    def _failure(self, error: Exception, texts: Texts) -> Failure:
        state = getattr(error, "sqlstate", None) or ""
        for key in (state, state[:3], state[:2]):
            if key in self.dialect.failures:
                return self.dialect.failures[key]
        if not state:
            for pattern, failure in texts:
                if pattern.search(str(error)):
                    return failure
        return self.dialect.otherwise_failed

    def _mend(self, failure: Failure) -> str:
        return failure.mend.format_map(self.facts)

    def _filled(self, message: str, error: Exception) -> str:
        said = {"product": self.dialect.product, "text": self._scrubbed(_first_line(error))}
        return message.format_map({**self.facts, **said})

    def _scrubbed(self, text: str) -> str:
        for secret in filter(None, self.secrets):
            text = text.replace(secret, "…")
        return text


def _first_line(error: Exception) -> str:
    """Return the server's own message without position, query text or driver's prefix."""
    text = _diag(error, "message_primary")
    if not text:
        found = re.search(r"(?:ERROR|FATAL):\s+([^\n]*)", str(error))
        text = found[1] if found else str(error).strip().split("\n")[0].removeprefix("[libpq] ")
    return text.strip().rstrip(".")


def _grant(text: str, user: str) -> str:
    """Return the statement for what the server says is denied, as it names it."""
    found = _DENIED.search(text)
    if not found:
        return ""
    right = _RIGHTS.get(found["kind"], "SELECT ON")
    return f"GRANT {right} {_quoted(found['name'])} TO {_quoted(user)};"


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def _diag(error: Exception, field: str) -> str:
    return str(getattr(getattr(error, "diag", None), field, None) or "")
