"""Who may write for a run or a delivery: a generation, a lease and a lock file.

Taking over raises the generation; a write transaction that finds another generation stops at once.
All times are the database's own. Lease 60 s, heartbeat 10 s; on one machine the lock file of a dead
process is free at once, so nobody waits for a lease to end.
"""

import fcntl
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import sqlalchemy as sa

from rowlift.core.errors import Fenced
from rowlift.db import Database
from rowlift.kit.durable import make_folder

LEASE_SECONDS = 60.0
HEARTBEAT_SECONDS = 10.0


def database_now(database: Database, connection: sa.Connection) -> float:
    """Return the database machine's clock in Unix seconds."""
    if database.is_sqlite:
        return time.time()
    return float(connection.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp())")) or 0)


class Lease:
    """The right to write for one row of `runs` or `deliveries`."""

    def __init__(
        self, database: Database, folder: Path, table: sa.Table, row_id: int, generation: int
    ) -> None:
        self._database = database
        self._table = table
        self._folder = folder
        self._stop = threading.Event()
        self._beat: threading.Thread | None = None
        self._lock: IO[str] | None = None
        self.row_id = row_id
        self.generation = generation

    def __enter__(self) -> Self:
        self._lock = _locked(lock_path(self._folder, self._table.name, self.row_id))
        self._beat = threading.Thread(target=self._keep, name="heartbeat", daemon=True)
        self._beat.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._beat:
            self._beat.join()
        if self._lock:
            self._lock.close()

    def hold(self, connection: sa.Connection) -> None:
        """Renew the lease as the first statement of a write transaction.

        Raises Fenced when somebody else took over or the row is finished.
        """
        until = database_now(self._database, connection) + LEASE_SECONDS
        table = self._table
        renewed = connection.execute(
            table.update()
            .where(
                table.c.id == self.row_id,
                table.c.generation == self.generation,
                table.c.active == 1,
            )
            .values(lease_until=until)
        )
        if renewed.rowcount != 1:
            raise Fenced(
                "FENCED",
                f"Another process took over {self._table.name[:-1]} {self.row_id}.",
                mend="Nothing to do: it goes on there.",
            )

    def _keep(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            try:
                with self._database.transaction("heartbeat") as connection:
                    self.hold(connection)
            except Fenced:
                return


def owner_name() -> str:
    """Return a name for this process that no other process ever has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def lock_path(folder: Path, table: str, row_id: int) -> Path:
    """Return where the lock file of a run or delivery lies."""
    return folder / "locks" / f"{table}-{row_id}.lock"


def owner_is_dead(
    folder: Path, table: str, row_id: int, owner: str, lease_until: float, now: float
) -> bool:
    """Tell whether a run or delivery was abandoned by its process."""
    if owner.split(":", 1)[0] != socket.gethostname():
        return lease_until < now
    path = lock_path(folder, table, row_id)
    if not path.exists():
        return lease_until < now or not _process_lives(owner)
    try:
        _locked(path).close()
    except OSError:
        return lease_until < now
    return True


def _process_lives(owner: str) -> bool:
    try:
        os.kill(int(owner.split(":")[1]), 0)
    except (ProcessLookupError, ValueError, IndexError):
        return False
    except PermissionError:
        return True
    return True


def _locked(path: Path) -> IO[str]:
    make_folder(path.parent)
    handle = path.open("a", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise
    return handle
