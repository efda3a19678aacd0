"""Which slots of schedules are accounted for, and which wait for their turn.

A slot becomes a run, or a run that is Skipped and says why; two rows of `runs` never have one slot.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace

import sqlalchemy as sa

from rowlift.core.nouns import Status
from rowlift.db import Database
from rowlift.state.leases import database_now
from rowlift.state.schedule_tables import schedules
from rowlift.state.tables import runs
from rowlift.state.tallies import count_skipped


@dataclass(frozen=True, slots=True)
class Schedule:
    """How far one sync's schedule has come; moments are whole Unix seconds.

    Intervals are counted from `anchor`. Slots up to `settled` are accounted for, `next_at` is the
    first after it (None: to be counted anew, or never). `waiting_for` is a slot that has come and
    not begun; `skipped` are the slots that found another run one after another, the first at
    `skipped_since`.
    """

    sync_uid: str
    workspace_id: int
    schedule: str
    anchor: int
    settled: int
    next_at: int | None = None
    waiting_for: int | None = None
    skipped_since: int | None = None
    skipped: int = 0

    @property
    def waits_since(self) -> int:
        """Return the slot since which the sync had no turn."""
        return self.skipped_since or self.waiting_for or self.settled


@dataclass(frozen=True, slots=True)
class Skip:
    """A slot that became no run, and why."""

    sync_uid: str
    slot: int
    code: str
    reason: str


_COLUMNS = [one.name for one in fields(Schedule)]


class ScheduleStore:
    """Keeps how far each schedule has come."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, workspace_id: int) -> dict[str, Schedule]:
        """Return a workspace's schedules by the sync's uid."""
        query = sa.select(schedules).where(schedules.c.workspace_id == workspace_id)
        with self._database.read() as connection:
            return {row.sync_uid: Schedule(*row) for row in connection.execute(query)}

    def settle(
        self, workspace_id: int, moved: Sequence[Schedule], skips: Sequence[Skip] = ()
    ) -> Sequence[Schedule]:
        """Write down schedules that moved on, and the slots that became no run, in one commit.

        What waits for a slot that a run has already is let go: the clock has been there before.
        Returns the schedules as they are then.
        """
        fresh = [(one.sync_uid, one.settled) for one in moved if one.waiting_for == one.settled]
        with self._database.transaction("schedule.settle") as connection:
            used = _used(connection, [*fresh, *((one.sync_uid, one.slot) for one in skips)])
            settled = [
                replace(one, waiting_for=None) if (one.sync_uid, one.waiting_for) in used else one
                for one in moved
            ]
            _replace(connection, settled)
            now = database_now(self._database, connection)
            told = [one for one in skips if (one.sync_uid, one.slot) not in used]
            if told:
                rows = [_skipped(workspace_id, one, now) for one in told]
                connection.execute(runs.insert(), rows)
                count_skipped(connection, workspace_id, [one.sync_uid for one in told])
        return settled

    def begun(self, connection: sa.Connection, sync_uid: str) -> None:
        """Note that a sync has its turn, as part of the transaction that opens its run."""
        mine = schedules.update().where(schedules.c.sync_uid == sync_uid)
        connection.execute(mine.values(waiting_for=None, skipped_since=None, skipped=0))


def _used(
    connection: sa.Connection, slots: Collection[tuple[str, int | None]]
) -> frozenset[tuple[str, int]]:
    if not slots:
        return frozenset()
    query = sa.select(runs.c.sync_uid, runs.c.scheduled_for).where(
        runs.c.sync_uid.in_({uid for uid, _ in slots}),
        runs.c.scheduled_for.in_({slot for _, slot in slots}),
    )
    return frozenset((uid, slot) for uid, slot in connection.execute(query))


def _replace(connection: sa.Connection, settled: Sequence[Schedule]) -> None:
    uids = [one.sync_uid for one in settled]
    connection.execute(schedules.delete().where(schedules.c.sync_uid.in_(uids)))
    rows = [{name: getattr(one, name) for name in _COLUMNS} for one in settled]
    connection.execute(schedules.insert(), rows)


def _skipped(workspace_id: int, one: Skip, now: float) -> dict[str, object]:
    return {
        "workspace_id": workspace_id, "sync_uid": one.sync_uid, "spec": "{}",
        "status": Status.SKIPPED.value, "phase": "over", "generation": 0, "owner": "",
        "lease_until": 0.0, "counts": "{}", "scheduled_for": one.slot,
        "reason_code": one.code, "reason": one.reason, "created_at": now, "finished_at": now,
    }  # fmt: skip
