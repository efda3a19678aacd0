"""The audit log: lines are added, never changed; each holds the hash of the one before it.

Whoever changes, drops or puts in a line breaks the chain there, or must write all later ones anew:
then the hash of the newest line is another one than somebody may have noted elsewhere.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from rowlift.db import Database
from rowlift.state.accounts_tables import audit
from rowlift.state.tables import meta

MOST_LINES = 5000  # that are forgotten in one transaction, or read at once
_HASHED = ("at", "actor", "address", "action", "subject", "before", "after")


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Who did what to what, and from which address; `at` is Unix seconds, secrets are masked."""

    at: float
    actor: str
    address: str
    action: str
    subject: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    id: int = 0


@dataclass(frozen=True, slots=True)
class AuditProof:
    """Whether the lines are the ones that were written.

    `head` is the hash of the newest line: note it elsewhere. `broken_at` is the first line that is
    not as it was written, or comes after one that is gone; `knows` tells whether a hash that was
    noted earlier stands in the chain, None if none was asked for.
    """

    lines: int
    head: str
    broken_at: int | None
    knows: bool | None


class AuditLog:
    """Keeps what people did in one workspace."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self._database = database
        self._workspace_id = workspace_id
        self._mine = audit.c.workspace_id == workspace_id
        self._start = f"audit_start:{workspace_id}"

    def add(self, record: AuditRecord) -> None:
        """Add a line."""
        values = asdict(record) | {
            "workspace_id": self._workspace_id,
            "before": json.dumps(record.before, sort_keys=True, default=str),
            "after": json.dumps(record.after, sort_keys=True, default=str),
        }
        del values["id"]
        newest = sa.select(audit.c.hash).where(self._mine).order_by(audit.c.id.desc()).limit(1)
        with self._database.transaction("audit.add", alone=True) as connection:
            values["previous"] = connection.scalar(newest) or self._forgotten(connection)
            values["hash"] = _hash(values)
            connection.execute(audit.insert().values(values))

    def page(
        self, limit: int, before_id: int | None = None, *, actor: str = "", action: str = ""
    ) -> list[AuditRecord]:
        """Return the newest lines first, from the one before an id.

        Of whoever's name holds a text, and of actions that begin with one.
        """
        query = sa.select(audit).where(self._mine)
        if actor:
            query = query.where(audit.c.actor.icontains(actor, autoescape=True))
        if action:
            query = query.where(audit.c.action.startswith(action, autoescape=True))
        if before_id is not None:
            query = query.where(audit.c.id < before_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(audit.c.id.desc()).limit(limit)).all()
        return [_record(row) for row in rows]

    def prove(self, noted: str | None = None) -> AuditProof:
        """Compare every line with its hash and with the line before it."""
        lines, broken_at = 0, None
        with self._database.read() as connection:
            head = self._forgotten(connection)
            knows = noted == head
            for row in self._lines(connection):
                lines += 1
                if broken_at is None and (row.previous, row.hash) != (head, _hash(_told(row))):
                    broken_at = row.id
                head = row.hash
                knows |= noted == head
        return AuditProof(lines, head, broken_at, None if noted is None else knows)

    def forget(self, before: float) -> int:
        """Forget some of the oldest lines, never the newest one; return how many went."""
        kept = sa.select(sa.func.min(audit.c.id)).where(self._mine, audit.c.at >= before)
        newest = sa.select(sa.func.max(audit.c.id)).where(self._mine)
        first_kept = sa.func.coalesce(kept.scalar_subquery(), newest.scalar_subquery())
        old = sa.select(audit.c.id, audit.c.hash).where(self._mine, audit.c.id < first_kept)
        query = old.order_by(audit.c.id).limit(MOST_LINES)
        with self._database.read() as connection:
            if connection.execute(query.limit(1)).first() is None:
                return 0
        with self._database.transaction("audit.forget", alone=True) as connection:
            rows = connection.execute(query).all()
            if rows:
                gone = (self._mine, audit.c.id <= rows[-1].id)
                connection.execute(audit.delete().where(*gone))
                self._start_at(connection, rows[-1].hash)
        return len(rows)

    def _lines(self, connection: sa.Connection) -> Iterator[sa.Row[Any]]:
        query = sa.select(audit).where(self._mine).order_by(audit.c.id)
        yield from connection.execute(query, execution_options={"yield_per": MOST_LINES})

    def _forgotten(self, connection: sa.Connection) -> str:
        """Return the hash of the last line that was forgotten, empty if none was."""
        query = sa.select(meta.c.value).where(meta.c.key == self._start)
        return str(connection.scalar(query) or "")

    def _start_at(self, connection: sa.Connection, previous: str) -> None:
        connection.execute(meta.delete().where(meta.c.key == self._start))
        connection.execute(meta.insert().values(key=self._start, value=previous))


def _told(row: sa.Row[Any]) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001


def _hash(line: Mapping[str, Any]) -> str:
    told = [line["previous"], *(line[name] for name in _HASHED)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _record(row: sa.Row[Any]) -> AuditRecord:
    values = {name: getattr(row, name) for name in _HASHED}
    told = {name: json.loads(values[name]) for name in ("before", "after")}
    return AuditRecord(**values | told, id=row.id)
