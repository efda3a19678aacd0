"""Runs that somebody asked the service for: who, when, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from rowlift.db import Database
from rowlift.state.leases import database_now
from rowlift.state.schedule_tables import triggers


@dataclass(frozen=True, slots=True)
class Trigger:
    """One request for a run; `open` is 1 until it became a run or was given up.

    `plan` is the id of the plan that the run shall apply, or nothing; `retry_of` the run whose
    rejects it shall apply again, or 0.
    """

    id: int
    workspace_id: int
    sync_uid: str
    asked_by: str
    asked_at: float
    allow_removals: bool
    open: int | None
    run_id: int | None
    reason_code: str
    reason: str
    plan: str = ""
    retry_of: int = 0

    @property
    def is_plain(self) -> bool:
        """Tell whether the run shall read its source."""
        return not (self.plan or self.retry_of)


class TriggerStore:
    """Keeps the queue of requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(
        self,
        workspace_id: int,
        sync_uid: str,
        by: str,
        *,
        allow_removals: bool = False,
        plan: str = "",
        retry_of: int = 0,
    ) -> Trigger:
        """Queue a request for a run; one that waits for the same already stands for both.

        What either allows is allowed.
        """
        what = {"allow_removals": allow_removals, "plan": plan, "retry_of": retry_of}
        try:
            with self._database.transaction("trigger.ask") as connection:
                row = {
                    "workspace_id": workspace_id, "sync_uid": sync_uid, "asked_by": by,
                    "asked_at": database_now(self._database, connection),
                    "open": 1, **what,
                }  # fmt: skip
                asked = triggers.insert().values(row).returning(triggers)
                return Trigger(*connection.execute(asked).one())
        except IntegrityError:
            pass
        same = (sync_uid, plan, retry_of)
        queued = self.queued(workspace_id)
        waiting = [one for one in queued if (one.sync_uid, one.plan, one.retry_of) == same]
        if waiting and (waiting[0].allow_removals or not allow_removals):
            return waiting[0]
        if waiting and self._allow(waiting[0].id):
            return replace(waiting[0], allow_removals=True)
        return self.ask(
            workspace_id, sync_uid, by,
            allow_removals=allow_removals, plan=plan, retry_of=retry_of,
        )  # fmt: skip

    def _allow(self, trigger_id: int) -> bool:
        mine = triggers.update().where(triggers.c.id == trigger_id, triggers.c.open == 1)
        with self._database.transaction("trigger.ask") as connection:
            return connection.execute(mine.values(allow_removals=True)).rowcount == 1

    def allows_removals(self, run_id: int) -> bool:
        """Tell whether who asked for a run allowed it to remove as many as there are."""
        query = sa.select(triggers.c.allow_removals).where(triggers.c.run_id == run_id)
        with self._database.read() as connection:
            return any(connection.scalars(query))

    def queued(self, workspace_id: int) -> Sequence[Trigger]:
        """Return the requests that wait, the oldest first."""
        query = sa.select(triggers).where(
            triggers.c.workspace_id == workspace_id, triggers.c.open == 1
        )
        with self._database.read() as connection:
            return [Trigger(*row) for row in connection.execute(query.order_by(triggers.c.id))]

    def latest(
        self, workspace_id: int, limit: int = 20, before: int | None = None
    ) -> Sequence[Trigger]:
        """Return the newest requests first, from the one before an id."""
        query = sa.select(triggers).where(triggers.c.workspace_id == workspace_id)
        if before is not None:
            query = query.where(triggers.c.id < before)
        newest = query.order_by(triggers.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [Trigger(*row) for row in connection.execute(newest)]

    def begun(self, connection: sa.Connection, trigger_id: int, run_id: int) -> None:
        """Note which run a request became, as part of the transaction that opens the run."""
        mine = triggers.update().where(triggers.c.id == trigger_id)
        connection.execute(mine.values(open=None, run_id=run_id))

    def give_up(self, trigger_id: int, code: str, reason: str) -> None:
        """End a request that became no run."""
        mine = triggers.update().where(triggers.c.id == trigger_id, triggers.c.open == 1)
        with self._database.transaction("trigger.end") as connection:
            connection.execute(mine.values(open=None, reason_code=code, reason=reason))
