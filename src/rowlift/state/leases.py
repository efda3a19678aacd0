"""Who may write for a run or a delivery: a generation, a lease and a lock file.

Taking over raises the generation; a write transaction that finds another generation stops at once.
What renews the lease also writes down how far the work is: once a second while it moves.
All times are the database's own. Lease 60 s, renewed six times in it. Each generation has a lock
file, taken before the commit that makes it known: on one machine a free lock tells at once that
its owner is dead, and nobody waits for a lease to end.
"""

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.sql.dml import ReturningUpdate

from rowlift.core.errors import Fenced, StateError
from rowlift.core.nouns import Status
from rowlift.db import LEASE_SECONDS, Database
from rowlift.state.locks import Locks

HEARTBEAT_SECONDS = LEASE_SECONDS / 6
LOOK_SECONDS = min(1.0, HEARTBEAT_SECONDS)  # how soon a request to cancel is noticed

# Goes on while the machine sleeps, where the system has such a clock.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def database_now(database: Database, connection: sa.Connection) -> float:
    """Return the database machine's clock in Unix seconds."""
    if database.is_sqlite:
        return time.time()
    return float(connection.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp())")) or 0)


class Lease:
    """The right to write for one row of `runs` or `deliveries`.

    It also notices that somebody asked for its end: `cancelled_by` is who, or empty. `telling` is
    how far the work is, as text, to be written down.
    """

    def __init__(
        self, database: Database, locks: Locks, table: sa.Table, row_id: int, generation: int
    ) -> None:
        self._database = database
        self._table = table
        self._locks = locks
        self._stop = threading.Event()
        self._beat: threading.Thread | None = None
        self._renewed = _elapsed()
        self._renewal = _renewal(table, row_id, generation)
        self._stop_work: Callable[[], None] = _nothing
        self.cancelled_by = ""
        self.telling: Callable[[], str | None] = _nothing
        self._tells = "progress" in table.c
        self._told: str | None = None
        self._lock = lock_name(table, row_id, generation)
        self.row_id = row_id
        self.generation = generation

    def __enter__(self) -> Self:
        if not (self._locks.holds(self._lock) or self._locks.take(self._lock)):
            raise self._fenced()
        self._renewed = _elapsed()
        self._beat = threading.Thread(target=self._keep, name="heartbeat", daemon=True)
        self._beat.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._beat:
            self._beat.join()
        self._locks.release(self._lock)

    def hold(self, connection: sa.Connection) -> None:
        """Renew the lease within a write transaction; until it ends nobody else can take over.

        Raises Fenced when somebody else took over or the row is finished.
        """
        before, told = _elapsed(), self.telling()
        until = database_now(self._database, connection) + LEASE_SECONDS
        values = {"until": until} | ({"told": told} if self._tells else {})
        renewed = connection.execute(self._renewal, values).one_or_none()
        if renewed is None:
            raise self._fenced()
        self._told = told
        self._renewed, self.cancelled_by = before, renewed.cancelled_by

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Have `stop` called from another thread, again and again, once somebody cancels."""
        self._stop_work = stop
        try:
            yield
        finally:
            self._stop_work = _nothing

    def is_ours(self) -> bool:
        """Tell whether a request may still start; asks the database when half the time is gone.

        A process that stood still learns here, before it sends anything, that it was replaced.
        """
        if _elapsed() - self._renewed < LEASE_SECONDS / 2:
            return True
        try:
            self._renew()
        except (Fenced, StateError):
            return False
        return True

    def _fenced(self) -> Fenced:
        return Fenced(
            "FENCED",
            f"Another process took over {self._table.name[:-1]} {self.row_id}.",
            mend="Nothing to do: it goes on there.",
        )

    def _keep(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                if self._is_due():
                    self._renew()
                else:
                    self._look()
            except Fenced:
                return
            except StateError:
                continue  # the next beat may pass; until then `is_ours` holds the sending back
            if self.cancelled_by:
                self._stop_work()

    def _is_due(self) -> bool:
        since = _elapsed() - self._renewed
        is_news = self._tells and since >= LOOK_SECONDS and self.telling() != self._told
        return is_news or since >= HEARTBEAT_SECONDS

    def _look(self) -> None:
        asked = sa.select(self._table.c.cancelled_by).where(self._table.c.id == self.row_id)
        with self._database.read() as connection:
            self.cancelled_by = connection.scalar(asked) or ""

    def _renew(self) -> None:
        with self._database.transaction("heartbeat") as connection:
            self.hold(connection)


def claim(
    database: Database,
    connection: sa.Connection,
    locks: Locks,
    take: Callable[[str], bool],
    wanted: tuple[sa.Table, int],
) -> sa.Row[Any] | None:
    """Take a row that nobody carries, or whose process is dead, in the caller's transaction.

    `take` takes the lock of its new generation.
    """
    table, row_id = wanted
    mine = sa.select(table).where(table.c.id == row_id)
    row = connection.execute(mine.with_for_update()).one()
    now = database_now(database, connection)
    generation = row.generation + 1
    is_carried = bool(row.active) and not is_dead(locks, table, row, now)
    if is_carried or not take(lock_name(table, row_id, generation)):
        return None
    values = {
        "active": 1, "generation": generation, "owner": owner_name(),
        "lease_until": now + LEASE_SECONDS, "status": Status.RUNNING.value,
        "cancelled_by": "", "reason_code": "", "reason": "",
    }  # fmt: skip
    connection.execute(table.update().where(table.c.id == row_id).values(values))
    return connection.execute(mine).one()


def _renewal(table: sa.Table, row_id: int, generation: int) -> ReturningUpdate[Any]:
    ours = (table.c.id == row_id, table.c.generation == generation, table.c.active == 1)
    values: dict[str, Any] = {"lease_until": sa.bindparam("until")}
    if "progress" in table.c:
        values["progress"] = sa.bindparam("told")
    renewal = table.update().where(*ours).values(values)
    return renewal.returning(table.c.cancelled_by)


def _nothing() -> None: ...


def owner_name() -> str:
    """Return a name for this process that no other process ever has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def lock_name(table: sa.Table, row_id: int, generation: int) -> str:
    """Return the name of a generation's lock."""
    return f"{table.name}-{row_id}-{generation}"


def is_dead(locks: Locks, table: sa.Table, row: sa.Row[Any], now: float) -> bool:
    """Tell whether the owner of a run or delivery abandoned it."""
    if row.lease_until < now:
        return True
    if row.owner.split(":", 1)[0] != socket.gethostname():
        return False
    return locks.is_abandoned(lock_name(table, row.id, row.generation))


def _elapsed() -> float:
    return time.clock_gettime(_CLOCK)
