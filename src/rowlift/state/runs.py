"""Imports: one active per workspace, resumable by whoever finds them abandoned."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from rowlift.core.audiences import ANYTHING, Wrote
from rowlift.core.errors import Busy, RowliftError, StateError, is_passing
from rowlift.core.nouns import Status
from rowlift.core.progress import Headway
from rowlift.db import LEASE_SECONDS, Database
from rowlift.state.audiences import ask_about
from rowlift.state.leases import (
    Lease,
    database_now,
    is_dead,
    lock_name,
    owner_name,
)
from rowlift.state.locks import Locks
from rowlift.state.schedule_tables import schedules
from rowlift.state.tables import definitions, deliveries, runs, sync_state
from rowlift.state.tallies import count_run, count_skipped

FAILED = frozenset({Status.FAILED, Status.SOME_ROWS_FAILED, Status.STOPPED})
ERASURE = "erasure"  # stands for a sync in the list of runs
MOST_CARRIED = 8  # times, after which a state that is away each time fails a run
UNDO = "undo"  # the first phase of a run that takes back what another one did
ADOPT = "adopt"  # the first phase of a run that takes its rows from a plan file
WHOLE = sa.and_(runs.c.retry_of.is_(None), runs.c.first_rows.is_(None), runs.c.undo_of.is_(None))


@dataclass(frozen=True, slots=True)
class Run:
    """One import as the database knows it; times are Unix seconds.

    `plan` is the id of the plan that it applies, or nothing; `retry_of` the run whose rejects it
    applies again; `undo_of` the run that it takes back; `first_rows` how many rows of its query it
    tries, where it does not take all; `scheduled_for` the slot it was begun or skipped for;
    `cancelled_by` who asked for its end; `unjudged` is 1 until alerts have looked at how it ended.
    `columns` are those of the query, from name to type, as far as it was asked.
    """

    id: int
    workspace_id: int
    sync_uid: str
    spec: str
    status: Status
    phase: str
    generation: int
    owner: str
    lease_until: float
    active: int | None
    source_time: int | None
    image_revision: int | None
    created_at: float
    finished_at: float | None
    plan: str = ""
    retry_of: int | None = None
    undo_of: int | None = None
    first_rows: int | None = None
    scheduled_for: int | None = None
    cancelled_by: str = ""
    reason_code: str = ""
    reason: str = ""
    unjudged: int | None = None
    progress: Headway | None = None
    columns: Mapping[str, str] | None = None
    counts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Tell whether it takes all that its query returns."""
        return self.retry_of is None and self.first_rows is None and self.undo_of is None

    def goes_on_after(self, error: RowliftError) -> bool:
        """Tell whether it was left only since the state was away: who takes it over goes on."""
        return is_passing(error) and self.generation < MOST_CARRIED


def run_from(row: sa.Row[Any]) -> Run:
    """Build a run from its row."""
    values = dict(row._mapping)  # noqa: SLF001
    read = {
        "status": Status(row.status),
        "counts": json.loads(row.counts),
        "progress": Headway.of(row.progress),
        "columns": json.loads(row.columns) if row.columns else None,
    }
    return Run(**values | read)


class RunStore:
    """Opens, moves on and finishes runs."""

    def __init__(self, database: Database, locks: Locks) -> None:
        self._database = database
        self._locks = locks

    def open(
        self,
        workspace_id: int,
        sync_uid: str,
        spec: str,
        *,
        phase: str = "read",
        **told: Any,
    ) -> Run:
        """Start a run in its first phase, with what else is told of it.

        Raises Busy, and records a skipped run, while another one is active.
        """
        return self._open(workspace_id, sync_uid, spec, phase, **told)

    def open_retry(self, of: Run, spec: str, source_time: int | None) -> Run:
        """Start a run that applies again what the workspace rejected in another one.

        `source_time` is that of the image's rows, which it takes as they are. Raises Busy.
        """
        return self._open(
            of.workspace_id, of.sync_uid, spec, "apply", retry_of=of.id, source_time=source_time
        )

    def open_if_free(
        self,
        workspace_id: int,
        sync_uid: str,
        spec: str,
        *,
        phase: str = "read",
        also: Callable[[sa.Connection, int], None] = lambda _connection, _run_id: None,
        **told: Any,
    ) -> Run | None:
        """Start a run, with what else its number is committed with; None while one is active."""
        try:
            with self._locks.taking() as take, self._database.transaction("run.open") as connection:
                opened = self._insert(
                    connection, workspace_id, sync_uid, spec, Status.RUNNING, phase, **told
                )
                also(connection, opened.id)
                take(lock_name(runs, opened.id, opened.generation))
        except IntegrityError:
            return None
        return opened

    def _open(self, workspace_id: int, sync_uid: str, spec: str, phase: str, **told: Any) -> Run:
        opened = self.open_if_free(workspace_id, sync_uid, spec, phase=phase, **told)
        if opened:
            return opened
        active = self.active(workspace_id)
        reason = f"Run {active.id} was still running." if active else "Another run was active."
        with self._database.transaction("run.skip") as connection:
            told |= {"reason": reason}
            skipped = self._insert(
                connection, workspace_id, sync_uid, spec, Status.SKIPPED, "over", **told
            )
            count_skipped(connection, workspace_id, [sync_uid])
        raise Busy(
            "BUSY", f"Run {skipped.id} was skipped: {reason}", mend="Wait for it, then run again."
        )

    def _insert(
        self,
        connection: sa.Connection,
        workspace_id: int,
        sync_uid: str,
        spec: str,
        status: Status,
        phase: str,
        **told: Any,
    ) -> Run:
        now = database_now(self._database, connection)
        over = phase == "over"
        run_id = connection.scalars(
            runs.insert()
            .values(
                workspace_id=workspace_id,
                sync_uid=sync_uid,
                spec=spec,
                status=status.value,
                phase=phase,
                active=None if over else 1,
                generation=1,
                owner=owner_name(),
                lease_until=now + LEASE_SECONDS,
                counts="{}",
                reason_code="BUSY" if over else "",
                created_at=now,
                finished_at=now if over else None,
                **{"reason": "", "plan": ""} | told,
            )
            .returning(runs.c.id)
        ).one()
        return self._get(connection, int(run_id))

    def lease(self, run: Run) -> Lease:
        """Return the right to write for a run of ours."""
        return Lease(self._database, self._locks, runs, run.id, run.generation)

    def active(self, workspace_id: int) -> Run | None:
        """Return the workspace's active run."""
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(runs).where(runs.c.workspace_id == workspace_id, runs.c.active == 1)
            ).one_or_none()
        return run_from(row) if row else None

    def is_abandoned(self, workspace_id: int) -> bool:
        """Tell whether the process of the active run is dead."""
        active = sa.select(runs).where(runs.c.workspace_id == workspace_id, runs.c.active == 1)
        with self._database.read() as connection:
            row = connection.execute(active).one_or_none()
            now = database_now(self._database, connection)
        return row is not None and is_dead(self._locks, runs, row, now)

    def cancel(self, run_id: int, by: str) -> bool:
        """Ask whoever carries a run to end it; False when it is over."""
        asked = runs.update().where(runs.c.id == run_id, runs.c.active == 1)
        with self._database.transaction("run.cancel") as connection:
            return connection.execute(asked.values(cancelled_by=by)).rowcount == 1

    def take_over(self, workspace_id: int) -> Run | None:
        """Take over the active run if its process is dead; None when there is none to take."""
        active = sa.select(runs).where(runs.c.workspace_id == workspace_id, runs.c.active == 1)
        if self.active(workspace_id) is None:
            return None
        with (
            self._locks.taking() as take,
            self._database.transaction("run.take_over") as connection,
        ):
            found = connection.execute(active).one_or_none()
            now = database_now(self._database, connection)
            if found is None or not is_dead(self._locks, runs, found, now):
                return None
            generation = found.generation + 1
            lock = lock_name(runs, found.id, generation)
            if not take(lock):
                return None
            taken = connection.execute(
                runs.update()
                .where(
                    runs.c.id == found.id,
                    runs.c.generation == found.generation,
                    runs.c.active == 1,
                )
                .values(generation=generation, owner=owner_name(), lease_until=now + LEASE_SECONDS)
            )
            if taken.rowcount == 1:
                return self._get(connection, found.id)
        self._locks.release(lock)
        return None

    def advance(self, connection: sa.Connection, run_id: int, phase: str, **values: Any) -> None:
        """Move a run to its next phase as part of the caller's fenced transaction."""
        for name in values.keys() & {"counts", "columns"}:
            values[name] = json.dumps(values[name], sort_keys=name == "counts")
        connection.execute(runs.update().where(runs.c.id == run_id).values(phase=phase, **values))

    def finish(
        self,
        connection: sa.Connection,
        run_id: int,
        status: Status,
        counts: Mapping[str, Any],
        reason_code: str = "",
        reason: str = "",
        wrote: Wrote = ANYTHING,
    ) -> None:
        """End a run, and have audiences looked at that what it wrote touches.

        It is part of the caller's fenced transaction.
        """
        self.advance(
            connection,
            run_id,
            "over",
            status=status.value,
            active=None,
            counts=counts,
            reason_code=reason_code,
            reason=reason,
            finished_at=database_now(self._database, connection),
        )
        count_run(connection, run_id)
        of = sa.select(runs.c.workspace_id).where(runs.c.id == run_id)
        ask_about(connection, of.scalar_subquery(), wrote)

    def get(self, run_id: int) -> Run:
        """Return one run; raises StateError NOT_FOUND."""
        with self._database.read() as connection:
            return self._get(connection, run_id)

    def find(self, run_id: int) -> Run | None:
        """Return one run, or None where it is forgotten."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).one_or_none()
        return run_from(row) if row else None

    def _get(self, connection: sa.Connection, run_id: int) -> Run:
        row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).one_or_none()
        if row is None:
            raise StateError("NOT_FOUND", f"There is no run {run_id}.", mend="See rowlift runs.")
        return run_from(row)

    def latest(
        self,
        workspace_id: int,
        sync_uid: str | None = None,
        limit: int = 20,
        before: int | None = None,
        *,
        failed: bool = False,
    ) -> Sequence[Run]:
        """Return the newest runs first, from the one before an id; `failed` leaves good ones out.

        A run has failed where it ended so, or where one of its deliveries did.
        """
        query = sa.select(runs).where(runs.c.workspace_id == workspace_id)
        if sync_uid:
            query = query.where(runs.c.sync_uid == sync_uid)
        if before is not None:
            query = query.where(runs.c.id < before)
        if failed:
            of_run = deliveries.c.run_id == runs.c.id
            undelivered = sa.exists().where(of_run, deliveries.c.status.in_(FAILED))
            query = query.where(runs.c.status.in_(FAILED) | undelivered)
        with self._database.read() as connection:
            found = connection.execute(query.order_by(runs.c.id.desc()).limit(limit)).all()
        return [run_from(row) for row in found]

    def after(self, workspace_id: int, number: int, limit: int) -> Sequence[Run]:
        """Return the runs from the one after a number, the oldest first."""
        query = sa.select(runs).where(runs.c.workspace_id == workspace_id, runs.c.id > number)
        with self._database.read() as connection:
            found = connection.execute(query.order_by(runs.c.id).limit(limit)).all()
        return [run_from(row) for row in found]

    def last_counts(self, sync_uid: str) -> Mapping[str, Any]:
        """Return the counts of the newest run that took over what it read; nothing of none."""
        query = sa.select(runs.c.counts).where(
            runs.c.sync_uid == sync_uid,
            runs.c.image_revision.is_not(None),
            WHOLE,
        )
        with self._database.read() as connection:
            found = connection.scalar(query.order_by(runs.c.id.desc()).limit(1))
        counts: dict[str, Any] = json.loads(found or "{}")
        return counts

    def last_good(self, sync_uid: str, before: int) -> Run | None:
        """Return the newest run before another one that read all and failed nowhere."""
        of_run = deliveries.c.run_id == runs.c.id
        undelivered = sa.exists().where(of_run, deliveries.c.status.in_(FAILED))
        query = sa.select(runs).where(
            runs.c.sync_uid == sync_uid, runs.c.id < before, WHOLE,
            runs.c.status == Status.COMPLETED.value, ~undelivered,
        )  # fmt: skip
        with self._database.read() as connection:
            row = connection.execute(query.order_by(runs.c.id.desc()).limit(1)).one_or_none()
        return run_from(row) if row else None

    def of_revisions(self, sync_uid: str, revisions: Collection[int]) -> dict[int, Run]:
        """Return the run that made each revision of a sync's image, as far as it is known."""
        query = sa.select(runs).where(
            runs.c.sync_uid == sync_uid, runs.c.image_revision.in_(revisions)
        )
        with self._database.read() as connection:  # later runs that changed nothing come first
            found = connection.execute(query.order_by(runs.c.id.desc())).all()
        return {row.image_revision: run_from(row) for row in found}

    def undone_by(self, run_id: int) -> Run | None:
        """Return the newest run that took back what another one did."""
        query = sa.select(runs).where(
            runs.c.undo_of == run_id, runs.c.image_revision.is_not(None)
        ).order_by(runs.c.id.desc()).limit(1)  # fmt: skip
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return run_from(row) if row else None

    def is_paused(self, sync_uid: str) -> bool:
        """Tell whether somebody paused a sync."""
        query = sa.select(sync_state.c.paused).where(sync_state.c.sync_uid == sync_uid)
        with self._database.read() as connection:
            return bool(connection.scalar(query))

    def pause(self, workspace_id: int, sync_uid: str, *, paused: bool, at: int) -> None:
        """Pause a sync, or let it run again from the first slot after a moment on."""
        anew = schedules.update().where(schedules.c.sync_uid == sync_uid)
        with self._database.transaction("sync.pause") as connection:
            self._set(connection, workspace_id, sync_uid, paused=paused, paused_by_undo=None)
            connection.execute(anew.values(settled=at, next_at=None))

    def pause_after_undo(
        self, connection: sa.Connection, workspace_id: int, sync_uid: str, run_id: int
    ) -> None:
        """Pause a sync as part of the caller's fenced transaction; what is due still goes out.

        One that somebody paused before stays paused by that.
        """
        mine = (sync_state.c.sync_uid == sync_uid, sync_state.c.paused)
        if connection.execute(sa.select(sync_state.c.sync_uid).where(*mine)).first() is None:
            self._set(connection, workspace_id, sync_uid, paused=True, paused_by_undo=run_id)

    def pausing_undos(self, workspace_id: int) -> dict[str, int]:
        """Return the undo by which each sync is paused that nobody paused by hand."""
        query = sa.select(sync_state.c.sync_uid, sync_state.c.paused_by_undo).where(
            sync_state.c.workspace_id == workspace_id, sync_state.c.paused_by_undo.is_not(None)
        )
        with self._database.read() as connection:
            return {uid: int(run) for uid, run in connection.execute(query)}

    def silent(self, workspace_id: int) -> frozenset[str]:
        """Return the uids of the syncs of which nothing is delivered, as somebody paused them."""
        query = sa.select(sync_state.c.sync_uid).where(
            sync_state.c.workspace_id == workspace_id,
            sync_state.c.paused,
            sync_state.c.paused_by_undo.is_(None),
        )
        with self._database.read() as connection:
            return frozenset(connection.scalars(query))

    def paused(self, workspace_id: int) -> frozenset[str]:
        """Return the uids of the syncs that somebody paused."""
        query = sa.select(sync_state.c.sync_uid).where(
            sync_state.c.workspace_id == workspace_id, sync_state.c.paused
        )
        with self._database.read() as connection:
            return frozenset(connection.scalars(query))

    def applied(self, workspace_id: int, plan: str) -> Run | None:
        """Return the run that took the rows of a plan into the image."""
        query = sa.select(runs).where(
            runs.c.workspace_id == workspace_id,
            runs.c.plan == plan,
            runs.c.image_revision.is_not(None),
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return run_from(row) if row else None

    def last_sync_time(self, sync_uid: str) -> int:
        """Return the source time of the last completed run (Unix seconds), or 0."""
        query = sa.select(sync_state.c.last_sync_time).where(sync_state.c.sync_uid == sync_uid)
        with self._database.read() as connection:
            return int(connection.scalar(query) or 0)

    def last_sync_times(self, sync_uids: Collection[str]) -> dict[str, int]:
        """Return the source time of the last completed run of each sync that had one."""
        query = sa.select(sync_state.c.sync_uid, sync_state.c.last_sync_time)
        with self._database.read() as connection:
            found = connection.execute(query.where(sync_state.c.sync_uid.in_(sync_uids)))
            return {row.sync_uid: row.last_sync_time for row in found}

    def newest(self, sync_uids: Collection[str]) -> dict[str, Run]:
        """Return the newest run of each sync that had one."""
        other = runs.alias()
        last = sa.select(sa.func.max(other.c.id)).where(other.c.sync_uid == definitions.c.uid)
        ids = sa.select(last.scalar_subquery()).where(definitions.c.uid.in_(sync_uids))
        with self._database.read() as connection:
            found = connection.execute(sa.select(runs).where(runs.c.id.in_(ids))).all()
        return {row.sync_uid: run_from(row) for row in found}

    def move_last_sync_time(
        self, connection: sa.Connection, workspace_id: int, sync_uid: str, moment: int
    ) -> None:
        """Set last_sync_time as part of the caller's fenced transaction."""
        self._set(connection, workspace_id, sync_uid, last_sync_time=moment)

    def _set(
        self, connection: sa.Connection, workspace_id: int, sync_uid: str, **values: int | None
    ) -> None:
        mine = sync_state.update().where(sync_state.c.sync_uid == sync_uid)
        if connection.execute(mine.values(values)).rowcount == 0:
            new = {"sync_uid": sync_uid, "workspace_id": workspace_id, **values}
            connection.execute(sync_state.insert().values(new))
