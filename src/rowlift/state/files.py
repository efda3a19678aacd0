"""Immutable files of the data directory and the rows that make them count.

Order: row `writing` → temporary file → fsync → rename → fsync of the folder → a commit of the
caller that makes the row `live`. A crash leaves nothing, or a file that nobody counts.
"""

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rowlift.core.errors import StateError
from rowlift.core.faults import point
from rowlift.db import Database
from rowlift.kit.durable import make_folder, publish, temporary_for
from rowlift.state.failures import file_errors
from rowlift.state.locks import Locks
from rowlift.state.tables import files

SCRATCH = "scratch"
PINS = "pins"  # rows that stay as an undo left them, see engine/pins.py
LEAST_ROOM = 10_000_000  # bytes, of which SQLite's write-ahead log alone takes four


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose file it is; target is a destination uid, `workspace` or nothing."""

    workspace_id: int
    sync_uid: str
    target: str = ""
    run_id: int | None = None
    delivery_id: int | None = None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A durable file that waits for, or has, its pointer commit."""

    id: int
    path: Path
    rows: int


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that is still there, live or dead, with whose it is."""

    stored: StoredFile
    kind: str
    owner: Owner
    state: str
    dead_at: float | None
    created_at: float


class FileStore:
    """The data directory's files."""

    def __init__(self, database: Database, root: Path, locks: Locks) -> None:
        self._database = database
        self.root = root
        self.locks = locks
        with file_errors():
            make_folder(root)

    @property
    def scratch(self) -> Path:
        """Return a folder for spill files; a killed process's goes with the next collection."""
        return self._scratch / uuid.uuid4().hex

    @cached_property
    def _scratch(self) -> Path:
        name = uuid.uuid4().hex
        self.locks.take(f"{SCRATCH}-{name}")
        return self.root / SCRATCH / name

    def require_room(self) -> None:
        """Raise StateError STATE_FULL where the disk has no room for work, or is read-only."""
        with file_errors():
            disk = os.statvfs(self.root)
        if disk.f_flag & os.ST_RDONLY:
            text = "The disk of the data directory is read-only."
            mend = "Mend the disk and mount it for writing: nothing was lost."
            raise StateError("STATE_FULL", text, mend=mend)
        free = disk.f_bavail * disk.f_frsize
        if free < LEAST_ROOM:
            text = f"The disk of the data directory has {free:,} bytes left."
            raise StateError("STATE_FULL", text, mend="Free space: nothing was lost.")

    def close(self) -> None:
        """Remove the scratch folder."""
        if "_scratch" in self.__dict__:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self.locks.release(f"{SCRATCH}-{self._scratch.name}")
            self.locks.remove(f"{SCRATCH}-{self._scratch.name}")
            del self.__dict__["_scratch"]

    def write(self, kind: str, owner: Owner, fill: Callable[[Path], int]) -> StoredFile:
        """Let `fill` write a temporary file and make it durable; it counts once it is live."""
        folder = self.root / (owner.sync_uid or "shared")
        with file_errors():
            make_folder(folder)
        path = folder / f"{kind}-{uuid.uuid4().hex}.parquet"
        file_id = self._announce(kind, owner, path)
        rows = self._fill(path, fill)
        return StoredFile(file_id, path, rows)

    def _fill(self, path: Path, fill: Callable[[Path], int]) -> int:
        temporary = temporary_for(path)
        point("file.before_write")
        with file_errors():
            try:
                rows = fill(temporary)
                temporary.chmod(0o600)
                publish(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        return rows

    def _announce(self, kind: str, owner: Owner, path: Path) -> int:
        row = {
            "workspace_id": owner.workspace_id,
            "kind": kind,
            "sync_uid": owner.sync_uid,
            "target": owner.target,
            "run_id": owner.run_id,
            "delivery_id": owner.delivery_id,
            "path": str(path.relative_to(self.root)),
            "state": "writing",
            "created_at": time.time(),
        }
        with self._database.transaction("file.announce") as connection:
            return int(connection.scalars(files.insert().values(row).returning(files.c.id)).one())

    def publish(self, connection: sa.Connection, stored: StoredFile) -> None:
        """Make a file live as part of the caller's transaction.

        Raises StateError when it was collected meanwhile: then the pointer must not move.
        """
        with file_errors():
            size = stored.path.stat().st_size
        made = connection.execute(
            files.update()
            .where(files.c.id == stored.id, files.c.state == "writing")
            .values(state="live", rows=stored.rows, bytes=size)
        )
        if made.rowcount != 1:
            raise StateError(
                "STATE_DAMAGED",
                f"The new file {stored.path.name} is not known any more.",
                mend="Run again: nothing was lost.",
            )

    def retire(self, connection: sa.Connection, stored: Iterable[StoredFile]) -> None:
        """Take files out of use as part of the caller's transaction; collection deletes them."""
        ids = [item.id for item in stored]
        if ids:
            connection.execute(
                files.update().where(files.c.id.in_(ids)).values(state="dead", dead_at=time.time())
            )

    def swap(
        self, connection: sa.Connection, stored: Iterable[StoredFile], gone: Iterable[StoredFile]
    ) -> None:
        """Make new files live and retire those they replace; a file in both is retired."""
        for one in stored:
            self.publish(connection, one)
        self.retire(connection, gone)

    def replace(self, connection: sa.Connection, old: KeptFile, new: StoredFile | None) -> None:
        """Let a new file, or none, take the place and the age of another, which is to go now."""
        if new:
            self.publish(connection, new)
            connection.execute(
                files.update()
                .where(files.c.id == new.id)
                .values(state=old.state, dead_at=old.dead_at, created_at=old.created_at)
            )
        connection.execute(
            files.update().where(files.c.id == old.stored.id).values(state="dead", dead_at=0.0)
        )

    def everything(self, workspace_id: int) -> list[KeptFile]:
        """Return all files of a workspace that were ever live and are still there."""
        query = sa.select(files).where(
            files.c.workspace_id == workspace_id, files.c.state.in_(("live", "dead"))
        )
        with self._database.read() as connection:
            found = connection.execute(query.order_by(files.c.id)).all()
        kept = (self._kept(row) for row in found)
        return [one for one in kept if one.stored.path.exists()]

    def _kept(self, row: sa.Row[Any]) -> KeptFile:
        owner = Owner(row.workspace_id, row.sync_uid, row.target, row.run_id, row.delivery_id)
        stored = StoredFile(row.id, self.root / row.path, row.rows)
        return KeptFile(stored, row.kind, owner, row.state, row.dead_at, row.created_at)

    def live(self, kinds: Sequence[str], sync_uid: str, target: str = "") -> list[StoredFile]:
        """Return the live files of an owner in the order they were written."""
        return self._select(
            files.c.kind.in_(kinds), files.c.sync_uid == sync_uid, files.c.target == target
        )

    def rows(self, kind: str, workspace_id: int) -> dict[str, int]:
        """Return how many rows live files of a kind have, by whose they are."""
        query = sa.select(files.c.sync_uid, sa.func.sum(files.c.rows)).where(
            files.c.kind == kind, files.c.workspace_id == workspace_id, files.c.state == "live"
        )
        with self._database.read() as connection:
            found = connection.execute(query.group_by(files.c.sync_uid)).all()
        return {uid: int(rows) for uid, rows in found}

    def kept(self, kind: str, sync_uid: str) -> list[StoredFile]:
        """Return the files of a sync that are still there, replaced ones included."""
        found = self._select(
            files.c.kind == kind, files.c.sync_uid == sync_uid, states=("live", "dead")
        )
        return [one for one in found if one.path.exists()]

    def of_run(
        self, kind: str, run_id: int, sync_uid: str, *, replaced: bool = False
    ) -> list[StoredFile]:
        """Return the live files a run wrote for its sync, or for a part of it.

        With `replaced` also those that are still there though others took their place.
        """
        found = self._select(
            files.c.kind == kind, files.c.run_id == run_id, files.c.sync_uid == sync_uid,
            states=("live", "dead") if replaced else ("live",),
        )  # fmt: skip
        return [one for one in found if one.path.exists()] if replaced else found

    def by_run(self, kinds: Sequence[str], sync_uid: str) -> list[tuple[int, Path]]:
        """Return the files that are still there of a sync, or of a part, each with its run."""
        query = sa.select(files.c.run_id, files.c.path).where(
            files.c.kind.in_(kinds), files.c.sync_uid == sync_uid, files.c.run_id.is_not(None),
            files.c.state.in_(("live", "dead")),
        )  # fmt: skip
        with self._database.read() as connection:
            found = connection.execute(query.order_by(files.c.id)).all()
        paths = [(row.run_id, self.root / row.path) for row in found]
        return [one for one in paths if one[1].exists()]

    def of_delivery(self, kind: str, delivery_id: int) -> list[StoredFile]:
        """Return the live files a delivery wrote."""
        return self._select(files.c.kind == kind, files.c.delivery_id == delivery_id)

    def _select(
        self, *conditions: sa.ColumnElement[bool], states: Sequence[str] = ("live",)
    ) -> list[StoredFile]:
        query = sa.select(files.c.id, files.c.path, files.c.rows).where(
            files.c.state.in_(states), *conditions
        )
        with self._database.read() as connection:
            found = connection.execute(query.order_by(files.c.id)).all()
        return [StoredFile(row.id, self.root / row.path, row.rows) for row in found]
