"""Runs that somebody asked the service for: who, when, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from rowlift.db import Database
from rowlift.state.leases import database_now
from rowlift.state.schedule_tables import triggers


@dataclass(frozen=True, slots=True)
class Trigger:
    """One request for a run; `open` is 1 until it became a run or was given up."""

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


class TriggerStore:
    """Keeps the queue of requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(
        self, workspace_id: int, sync_uid: str, by: str, *, allow_removals: bool = False
    ) -> Trigger:
        """Queue a request for a run; one that waits for the sync already stands for both."""
        try:
            with self._database.transaction("trigger.ask") as connection:
                row = {
                    "workspace_id": workspace_id, "sync_uid": sync_uid, "asked_by": by,
                    "asked_at": database_now(self._database, connection),
                    "allow_removals": allow_removals, "open": 1,
                }  # fmt: skip
                asked = triggers.insert().values(row).returning(triggers)
                return Trigger(*connection.execute(asked).one())
        except IntegrityError:
            pass
        waiting = [one for one in self.queued(workspace_id) if one.sync_uid == sync_uid]
        return (
            waiting[0]
            if waiting
            else self.ask(workspace_id, sync_uid, by, allow_removals=allow_removals)
        )

    def queued(self, workspace_id: int) -> Sequence[Trigger]:
        """Return the requests that wait, the oldest first."""
        query = sa.select(triggers).where(
            triggers.c.workspace_id == workspace_id, triggers.c.open == 1
        )
        with self._database.read() as connection:
            return [Trigger(*row) for row in connection.execute(query.order_by(triggers.c.id))]

    def latest(self, workspace_id: int, limit: int = 20) -> Sequence[Trigger]:
        """Return the newest requests first."""
        query = sa.select(triggers).where(triggers.c.workspace_id == workspace_id)
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
