"""Audiences as they are kept current: what was asked, who computes one, and how many were in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rowlift.core.audiences import Wrote
from rowlift.core.nouns import Status
from rowlift.db import Database
from rowlift.state.audience_tables import audience_sizes, audiences
from rowlift.state.leases import Lease, claim, database_now
from rowlift.state.locks import Locks

_REST = 20  # times as long as a look took


@dataclass(frozen=True, slots=True)
class Audience:
    """How an audience stands; moments are Unix seconds, `looked_at` 0 where nobody ever looked."""

    id: int
    workspace_id: int
    uid: str
    spec: str
    asked: int
    answered: int
    active: int | None
    generation: int
    owner: str
    lease_until: float
    cancelled_by: str
    status: Status
    reason_code: str
    reason: str
    looked_at: float
    seconds: float
    next_at: float

    def is_due(self, spec: str, every: int | None, now: float) -> bool:
        """Tell whether somebody should look for its members now: a failure rests for a while."""
        return self.next_at <= now and self.is_wanted(spec, every, now)

    def is_wanted(self, spec: str, every: int | None, now: float) -> bool:
        """Tell whether its members may not be those whom a spec means any more."""
        is_old = every is not None and self.looked_at + every <= now
        return self.asked > self.answered or self.spec != spec or is_old

    def has_rested(self, now: float) -> bool:
        """Tell whether looking again takes at most a part of the time, however often it is due."""
        return now - self.looked_at >= _REST * self.seconds


@dataclass(frozen=True, slots=True)
class AudienceSize:
    """How many people an audience had at a moment, who entered and left then, and how long it took.

    The moment is in Unix seconds.
    """

    at: float
    members: int
    entered: int
    left: int
    seconds: float


class AudienceStore:
    """Keeps how each audience stands, and lets one process at a time compute it."""

    def __init__(self, database: Database, locks: Locks) -> None:
        self._database = database
        self._locks = locks

    def open(self, workspace_id: int, uid: str) -> None:
        """Let an audience begin, unless it has begun."""
        row = {
            "workspace_id": workspace_id, "uid": uid, "spec": "", "asked": 1, "answered": 0,
            "generation": 0, "owner": "", "lease_until": 0.0, "cancelled_by": "",
            "status": Status.QUEUED.value, "reason_code": "", "reason": "", "looked_at": 0.0,
            "seconds": 0.0, "next_at": 0.0,
        }  # fmt: skip
        with self._database.transaction("audience.open") as connection:
            insert = self._database.insert(audiences).values(row)
            connection.execute(insert.on_conflict_do_nothing())

    def of(self, workspace_id: int) -> dict[str, Audience]:
        """Return the audiences that ever began, by uid."""
        query = sa.select(audiences).where(audiences.c.workspace_id == workspace_id)
        with self._database.read() as connection:
            found = connection.execute(query.order_by(audiences.c.id)).all()
        return {row.uid: _audience(row) for row in found}

    def are_there(self, workspace_id: int) -> bool:
        """Tell whether any audience ever began."""
        query = sa.select(audiences.c.id).where(audiences.c.workspace_id == workspace_id).limit(1)
        with self._database.read() as connection:
            return connection.scalar(query) is not None

    def claim(self, audience: Audience) -> Audience | None:
        """Take an audience that nobody computes, or whose process is dead."""
        with (
            self._locks.taking() as take,
            self._database.transaction("audience.claim") as connection,
        ):
            wanted = (audiences, audience.id)
            row = claim(self._database, connection, self._locks, take, wanted)
        return None if row is None else _audience(row)

    def lease(self, audience: Audience) -> Lease:
        """Return the right to write for an audience of ours."""
        return Lease(self._database, self._locks, audiences, audience.id, audience.generation)

    def answer(
        self, connection: sa.Connection, audience: Audience, spec: str, size: AudienceSize
    ) -> None:
        """Write down that the members are those whom a spec means, in a fenced transaction."""
        values = {
            "spec": spec, "answered": audience.asked, "active": None, "owner": "",
            "status": Status.COMPLETED.value, "reason_code": "", "reason": "",
            "looked_at": size.at, "seconds": size.seconds, "next_at": 0.0,
        }  # fmt: skip
        self._write(connection, audience, values)
        if size.entered or size.left or not audience.looked_at:
            row = {
                "workspace_id": audience.workspace_id, "uid": audience.uid, "at": size.at,
                "members": size.members, "entered": size.entered, "left": size.left,
                "seconds": size.seconds,
            }  # fmt: skip
            connection.execute(audience_sizes.insert().values(row))

    def leave(self, connection: sa.Connection, audience: Audience) -> None:
        """Leave an audience to whoever computes it next, as part of a fenced transaction."""
        values = {"active": None, "owner": "", "status": Status.QUEUED.value}
        self._write(connection, audience, values)

    def fail(
        self, connection: sa.Connection, audience: Audience, code: str, reason: str, wait: float
    ) -> None:
        """Let an audience rest for some seconds, as part of a fenced transaction."""
        values = {
            "active": None, "owner": "", "status": Status.FAILED.value, "reason_code": code,
            "reason": reason, "next_at": database_now(self._database, connection) + wait,
        }  # fmt: skip
        self._write(connection, audience, values)

    def sizes(self, uid: str, limit: int) -> Sequence[AudienceSize]:
        """Return how many people it had when that changed last, the newest first."""
        size = audience_sizes.c
        query = sa.select(size.at, size.members, size.entered, size.left, size.seconds).where(
            size.uid == uid
        )
        with self._database.read() as connection:
            found = connection.execute(query.order_by(size.id.desc()).limit(limit))
            return [AudienceSize(*row) for row in found]

    def _write(self, connection: sa.Connection, audience: Audience, values: dict[str, Any]) -> None:
        mine = audiences.c.id == audience.id
        connection.execute(audiences.update().where(mine).values(values))


def ask(connection: sa.Connection, workspace_id: int | sa.ScalarSelect[int], *uids: str) -> None:
    """Have audiences looked at again, all or some: what they are made from may have changed."""
    mine = audiences.c.workspace_id == workspace_id
    chosen = [mine, audiences.c.uid.in_(uids)] if uids else [mine]
    again = {"asked": audiences.c.asked + 1, "next_at": 0.0}
    connection.execute(audiences.update().where(*chosen).values(again))


def _audience(row: sa.Row[Any]) -> Audience:
    values = {column.name: getattr(row, column.name) for column in audiences.columns}
    return Audience(**values | {"status": Status(row.status)})


def ask_about(
    connection: sa.Connection, workspace_id: int | sa.ScalarSelect[int], wrote: Wrote
) -> None:
    """Have those audiences looked at again that are made from what was written.

    So are those that somebody looks at just now, or that nobody could look at.
    """
    query = sa.select(audiences.c.uid, audiences.c.spec, audiences.c.active, audiences.c.status)
    known = connection.execute(query.where(audiences.c.workspace_id == workspace_id)).all()
    uids = [
        row.uid
        for row in known
        if not row.spec
        or row.active
        or row.status != Status.COMPLETED.value
        or wrote.touches(row.spec)
    ]
    if uids:
        ask(connection, workspace_id, *uids)
