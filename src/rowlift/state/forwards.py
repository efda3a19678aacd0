"""Forwards on their way through the events: who carries one, how far it is, what did not go."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from rowlift.core.nouns import Status
from rowlift.db import Database
from rowlift.state.forward_tables import forward_rejects, forwards
from rowlift.state.leases import Lease, claim, database_now, is_dead
from rowlift.state.locks import Locks

_INTERRUPTED: dict[str, Any] = {
    "active": None, "generation": forwards.c.generation + 1, "status": Status.QUEUED.value,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Forward:
    """How far a forward is: all up to `position` is settled, and the numbers of `settled` are.

    The window that was begun last ends at `upto`. Times are Unix seconds, counts those of events.
    """

    id: int
    workspace_id: int
    uid: str
    position: int
    upto: int
    settled: frozenset[int]
    active: int | None
    generation: int
    owner: str
    lease_until: float
    cancelled_by: str
    status: Status
    reason_code: str
    reason: str
    tries: int
    next_at: float
    delivered: int
    rejected: int
    suppressed: int
    skipped: int


@dataclass(frozen=True, slots=True)
class ForwardReject:
    """An event that a destination did not take, and why; at is in Unix seconds.

    It has a number once it is kept.
    """

    at: float
    type: str
    name: str
    message_id: str
    identifier: str
    code: str
    reason: str
    number: int = 0


_KEPT = [one.name for one in fields(ForwardReject) if one.name != "number"]


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a forward came with one batch, and what became of the events on the way."""

    position: int
    settled: frozenset[int]
    delivered: int
    suppressed: int
    skipped: int
    rejects: Sequence[ForwardReject]


class ForwardStore:
    """Keeps how far each forward is, and lets one process at a time carry it."""

    def __init__(self, database: Database, locks: Locks) -> None:
        self._database = database
        self._locks = locks

    def open(self, workspace_id: int, uid: str, position: int) -> None:
        """Let a forward begin after an event, unless it has begun."""
        row = {
            "workspace_id": workspace_id, "uid": uid, "position": position, "upto": position,
            "settled": "[]", "generation": 0, "owner": "", "lease_until": 0.0, "cancelled_by": "",
            "status": Status.QUEUED.value, "reason_code": "", "reason": "", "tries": 0,
            "next_at": 0.0, "delivered": 0, "rejected": 0, "suppressed": 0, "skipped": 0,
        }  # fmt: skip
        with self._database.transaction("forward.open") as connection:
            connection.execute(self._database.insert(forwards).values(row).on_conflict_do_nothing())

    def of(self, workspace_id: int) -> dict[str, Forward]:
        """Return the forwards that ever began, by uid."""
        query = sa.select(forwards).where(forwards.c.workspace_id == workspace_id)
        with self._database.read() as connection:
            found = connection.execute(query.order_by(forwards.c.id)).all()
        return {row.uid: _forward(row) for row in found}

    def claim(self, forward: Forward) -> Forward | None:
        """Take a forward that nobody carries, or whose process is dead."""
        with (
            self._locks.taking() as take,
            self._database.transaction("forward.claim") as connection,
        ):
            wanted = (forwards, forward.id)
            row = claim(self._database, connection, self._locks, take, wanted)
        return None if row is None else _forward(row)

    def lease(self, forward: Forward) -> Lease:
        """Return the right to write for a forward of ours."""
        return Lease(self._database, self._locks, forwards, forward.id, forward.generation)

    def open_window(self, connection: sa.Connection, forward: Forward, upto: int) -> Forward:
        """Begin a window, as part of the caller's fenced transaction."""
        return self._write(connection, forward, {"upto": upto})

    def advance(self, connection: sa.Connection, forward: Forward, step: Advance) -> Forward:
        """Write down what became of a batch, as part of the caller's fenced transaction."""
        shared = {"workspace_id": forward.workspace_id, "uid": forward.uid}
        told = [shared | {name: getattr(one, name) for name in _KEPT} for one in step.rejects]
        if told:
            connection.execute(forward_rejects.insert(), told)
        values = {
            "position": step.position,
            "settled": json.dumps(sorted(step.settled)),
            "delivered": forwards.c.delivered + step.delivered,
            "rejected": forwards.c.rejected + len(told),
            "suppressed": forwards.c.suppressed + step.suppressed,
            "skipped": forwards.c.skipped + step.skipped,
        }
        is_further = step.position > forward.position or step.settled - forward.settled
        return self._write(connection, forward, values | ({"tries": 0} if is_further else {}))

    def rest(
        self,
        connection: sa.Connection,
        forward: Forward,
        status: Status,
        code: str = "",
        reason: str = "",
        wait: float = 0.0,
    ) -> Forward:
        """Let a forward rest, as part of the caller's fenced transaction.

        It is not carried again for `wait` seconds, unless somebody asks for it.
        """
        values = {
            "active": None, "owner": "", "status": status.value, "reason_code": code,
            "reason": reason, "tries": forward.tries + bool(wait),
            "next_at": database_now(self._database, connection) + wait,
        }  # fmt: skip
        return self._write(connection, forward, values)

    def _write(
        self, connection: sa.Connection, forward: Forward, values: dict[str, Any]
    ) -> Forward:
        mine = forwards.c.id == forward.id
        connection.execute(forwards.update().where(mine).values(values))
        return _forward(connection.execute(sa.select(forwards).where(mine)).one())

    def free(self, candidates: Iterable[Forward]) -> set[int]:
        """Return which forwards nobody carries and need not wait."""
        listed = list(candidates)
        if not listed:
            return set()
        query = sa.select(forwards).where(forwards.c.id.in_([one.id for one in listed]))
        with self._database.read() as connection:
            now = database_now(self._database, connection)
            found = connection.execute(query).all()
        return {row.id for row in found if row.next_at <= now and not self._is_carried(row, now)}

    def _is_carried(self, row: sa.Row[Any], now: float) -> bool:
        return bool(row.active) and not is_dead(self._locks, forwards, row, now)

    def rejects(self, uid: str, limit: int, before: int | None = None) -> list[ForwardReject]:
        """Return the events that did not go, the newest first, from the one before a number."""
        columns = [forward_rejects.c[name] for name in (*_KEPT, "id")]
        query = sa.select(*columns).where(forward_rejects.c.uid == uid)
        if before is not None:
            query = query.where(forward_rejects.c.id < before)
        with self._database.read() as connection:
            found = connection.execute(query.order_by(forward_rejects.c.id.desc()).limit(limit))
            return [ForwardReject(*row) for row in found]

    def rewind(self, forward: Forward, position: int) -> None:
        """Let a forward go on after an earlier event; whoever carries it settles nothing more."""
        with self._database.transaction("forward.rewind") as connection:
            connection.execute(
                forwards.update().where(forwards.c.id == forward.id).values(
                    _INTERRUPTED | {
                        "position": position, "upto": position, "settled": "[]", "tries": 0,
                        "next_at": 0.0, "reason_code": "", "reason": "",
                    }
                )
            )  # fmt: skip


def interrupt(connection: sa.Connection, workspace_id: int) -> None:
    """Let whoever carries a forward send nothing more of what they have read."""
    mine = (forwards.c.workspace_id == workspace_id, forwards.c.active == 1)
    connection.execute(forwards.update().where(*mine).values(_INTERRUPTED))


def _forward(row: sa.Row[Any]) -> Forward:
    values = {column.name: getattr(row, column.name) for column in forwards.columns}
    settled = frozenset(json.loads(row.settled))
    return Forward(**values | {"status": Status(row.status), "settled": settled})
