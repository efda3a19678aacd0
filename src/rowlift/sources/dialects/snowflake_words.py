"""What Snowflake says about errors and rights, in our words."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rowlift.core.errors import ConnectError, SourceError
from rowlift.core.nouns import Finding
from rowlift.core.rules import rule
from rowlift.kit.scrub import scrubbed
from rowlift.sources.dialects import snowflake as data
from rowlift.sources.dialects.snowflake_columns import quoted

SHOWN = 10  # names listed in a message
Tables = Iterable[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Grant:
    """A right, the kind of thing it is on, and its name."""

    right: str
    kind: str
    name: str

    @property
    def is_dangerous(self) -> bool:
        """Tell whether one could write with it."""
        return self.right not in data.HARMLESS or self.kind == data.RUNS


@dataclass(frozen=True, slots=True)
class Place:
    """Who reads what, as far as is known; names come as Snowflake spells them."""

    where: str
    user: str
    role: str
    warehouse: str
    database: str
    schema: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def names(self) -> dict[str, str]:
        """Return the names as a GRANT takes them."""
        return {
            "user": quoted(self.user),
            "role": quoted(self.role),
            "warehouse": quoted(self.warehouse),
            "database": quoted(self.database),
            "schema": quoted(self.database, self.schema),
        }

    @property
    def tables_mend(self) -> str:
        """Return what lets the role read all tables of the schema."""
        grants = (data.GRANT_SCHEMA, data.GRANT_TABLES)
        return "\n".join(grant.format_map(self.names) for grant in grants)

    def connecting(self, number: int, said: str) -> ConnectError:
        """Return why there is no session; unreachable and unknown hosts read the same."""
        otherwise = "LOGIN_FAILED" if number in data.LOGIN_ERRORS else "CONNECT_FAILED"
        code = _of(data.CONNECTING, said) or otherwise
        text = f"{self.where}: {rule(code).title}"
        text += "" if code == "CONNECT_FAILED" else f": {self._scrubbed(said)}"
        grant = _of(data.LOGIN_MENDS, said) if code == "LOGIN_FAILED" else ""
        mend = grant.format_map(self.names) or self._mend(code, ())
        return ConnectError(code, text, mend=mend)

    def running(
        self, number: int, said: str, tables: Tables = (), *, lost: bool = False
    ) -> SourceError:
        """Return why a query over `tables` failed; `lost` if it was not Snowflake that said so."""
        otherwise = "SOURCE_DROPPED" if lost else "QUERY_FAILED"
        code = data.ERRORS.get(number) or _of(data.RUNNING, said) or otherwise
        text = f"{rule(code).title}: {self._scrubbed(said)}"
        return SourceError(code, text, mend=_of(data.MENDS, said) or self._mend(code, tables))

    def unsafe(self) -> SourceError | None:
        """Return the refusal of a role that administers the account."""
        if self.role not in data.ADMINISTRATORS:
            return None
        unsafe = rule("UNSAFE_USER")
        text = f"{unsafe.title}: {self.role} administers the account."
        return SourceError(unsafe.code, text, mend=unsafe.mend)

    def read_only(self, grants: Sequence[Grant], *, allow_unsafe: bool) -> Finding:
        """Judge what the role could do besides reading."""
        reader = data.MAKE_READER.format_map(self.names)
        if refusal := self.unsafe():
            level = "warning" if allow_unsafe else "error"
            mend = f"{refusal.mend}\n{reader}"
            return Finding("read_only", level, refusal.message, mend, refusal.code)
        writing = [f"{one.right} ON {one.name}" for one in grants if one.is_dangerous]
        if writing:
            text = f"{rule('WRITE_RIGHTS').title}: {_listed(writing)}"
            return Finding("read_only", "warning", text, reader, "WRITE_RIGHTS")
        return Finding("read_only", "ok", f"Role {self.role} can only read.")

    def _mend(self, code: str, tables: Tables) -> str:
        advice = rule(code).mend
        if code in data.MENDED_BY_GRANTS:
            return "\n".join([advice, *self._grants(tables)])
        if code == "WAREHOUSE_UNAVAILABLE":
            return f"{advice}\n{data.GRANT_WAREHOUSE.format_map(self.names)}"
        return advice

    def _grants(self, tables: Tables) -> Iterator[str]:
        here = (self.database, self.schema)
        for parts in tables:
            database, schema, table = (*here[: 3 - len(parts)], *parts)
            path = {"database": quoted(database), "schema": quoted(database, schema)}
            yield data.GRANT_SCHEMA.format_map({**self.names, **path})
            yield data.GRANT_TABLE.format(table=quoted(database, schema, table), **self.names)

    def _scrubbed(self, said: str) -> str:
        return scrubbed(said.removeprefix("Failed to login: "), self.secrets)


def _of(texts: Sequence[tuple[str, str]], said: str) -> str:
    found = (code for pattern, code in texts if re.search(pattern, said, re.IGNORECASE))
    return next(found, "")


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest
