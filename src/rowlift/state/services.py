"""Which process serves a workspace, and when it was last heard of."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rowlift.core.errors import Busy, Fenced
from rowlift.db import LEASE_SECONDS, Database
from rowlift.state.leases import database_now, is_dead, lock_name, owner_name
from rowlift.state.locks import Locks
from rowlift.state.schedule_tables import services


@dataclass(frozen=True, slots=True)
class Service:
    """One process that serves a workspace; times are Unix seconds.

    Of the owner only the machine and the process are for people. `is_alive` and `silence` are as of
    the reading.
    """

    workspace_id: int
    owner: str
    generation: int
    started_at: float
    beat_at: float
    is_alive: bool
    silence: float = 0.0  # seconds since the last beat

    @property
    def place(self) -> str:
        """Return the machine and the process as a person finds them."""
        host, process, _ = self.owner.rsplit(":", 2)
        return f"process {process} on {host}"


class ServiceStore:
    """Lets one process at a time serve a workspace."""

    def __init__(self, database: Database, locks: Locks) -> None:
        self._database = database
        self._locks = locks

    def start(self, workspace_id: int) -> Service:
        """Serve a workspace from now on; raises Busy SERVICE_RUNNING while another process does."""
        with self._locks.taking() as take, self._database.transaction("service.begin") as opened:
            now = database_now(self._database, opened)
            found = opened.execute(_of(workspace_id).with_for_update()).one_or_none()
            generation = found.generation + 1 if found else 1
            is_free = found is None or not self._is_alive(found, now)
            if not is_free or not take(lock_name(services, workspace_id, generation)):
                raise self._running(workspace_id)
            row: dict[str, Any] = {
                "owner": owner_name(), "generation": generation, "active": 1,
                "lease_until": now + LEASE_SECONDS, "started_at": now, "beat_at": now,
            }  # fmt: skip
            begun = self._database.insert(services).values(id=workspace_id, **row)
            won = opened.execute(
                begun.on_conflict_do_update(
                    index_elements=["id"], set_=row, where=services.c.generation < generation
                ).returning(services.c.id)
            )
            if won.one_or_none() is None:
                raise self._running(workspace_id)
        return Service(workspace_id, row["owner"], generation, now, now, is_alive=True)

    def beat(self, service: Service) -> None:
        """Say that the process still serves; raises Fenced when another one took over."""
        with self._database.transaction("service.beat") as connection:
            now = database_now(self._database, connection)
            mine = _mine(service).values(lease_until=now + LEASE_SECONDS, beat_at=now)
            if connection.execute(mine).rowcount != 1:
                text = "Another process serves this workspace now."
                raise Fenced("FENCED", text, mend="Nothing to do: it goes on there.")

    def end(self, service: Service) -> None:
        """Say that the process no longer serves."""
        with self._database.transaction("service.end") as connection:
            connection.execute(_mine(service).values(active=None))
        self._locks.release(lock_name(services, service.workspace_id, service.generation))

    def last(self, workspace_id: int) -> Service | None:
        """Return who serves a workspace, or did last."""
        with self._database.read() as connection:
            found = connection.execute(_of(workspace_id)).one_or_none()
            now = database_now(self._database, connection)
        if found is None:
            return None
        return Service(
            workspace_id, found.owner, found.generation, found.started_at, found.beat_at,
            self._is_alive(found, now), max(0.0, now - found.beat_at),
        )  # fmt: skip

    def _is_alive(self, row: sa.Row[tuple[object, ...]], now: float) -> bool:
        return row.active == 1 and not is_dead(self._locks, services, row, now)

    def _running(self, workspace_id: int) -> Busy:
        last = self.last(workspace_id)
        where = last.place if last else "another process"
        return Busy(
            "SERVICE_RUNNING", f"This workspace is served already, by {where}.",
            mend="Stop that one first, or leave it the work.",
        )  # fmt: skip


def _of(workspace_id: int) -> sa.Select[tuple[object, ...]]:
    return sa.select(services).where(services.c.id == workspace_id)


def _mine(service: Service) -> sa.Update:
    return services.update().where(
        services.c.id == service.workspace_id,
        services.c.generation == service.generation,
        services.c.active == 1,
    )
