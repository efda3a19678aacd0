"""Delete files that nothing counts any more.

A file goes when its row is dead and past its retention, or when it was announced and never made
live by a run or delivery that is over. What a killed process left half written goes with it, and
so do lock files that nobody holds, and files of ours that the database forgot, as it does when
its last transactions are lost.
"""

import re
import shutil
import time
from pathlib import Path

import sqlalchemy as sa

from rowlift.core.specs import RetentionSpec
from rowlift.db import LEASE_SECONDS, Database
from rowlift.kit.durable import LEFTOVERS
from rowlift.state.catalogues import CATALOGUES
from rowlift.state.files import SCRATCH
from rowlift.state.fresh import alone
from rowlift.state.locks import Locks
from rowlift.state.tables import deliveries, files, runs

DAY = 86_400.0
COLLECTING = "collect"  # the work that no two processes do at once

_OURS = re.compile(r"[a-z_]+-[0-9a-f]{32}\.parquet")

# Seconds that another process may still read files that were replaced under it.
READERS_GRACE = 3600.0
REPLACED = frozenset({"image_base", "ledger_base", "ledger_delta", "held"})
HISTORY = "image_delta"
REJECTS = ("rejects", "reject_rows", "apply_rejects", "delivery_rejects", "verification")


def collect(
    database: Database, root: Path, locks: Locks, keep: RetentionSpec, now: float | None = None
) -> int:
    """Delete what is due and return how many files went; safe beside running processes.

    It waits for a backup that is just linking the files it wants.
    """
    with alone(root.parent, COLLECTING):
        return _collect(database, root, locks, keep, time.time() if now is None else now)


def _collect(
    database: Database, root: Path, locks: Locks, keep: RetentionSpec, moment: float
) -> int:
    _expire(database, moment - min(keep.rejects, keep.runs))
    _bury_orphans(database, moment)
    doomed = _dead(database, keep, moment)
    for path in doomed.values():
        _delete(root / path)
    if doomed:
        with database.transaction("collect") as connection:
            connection.execute(files.delete().where(files.c.id.in_(list(doomed))))
    _sweep(root, locks, moment)
    return len(doomed) + _delete_forgotten(database, root, moment)


def _expire(database: Database, before: float) -> None:
    """Take lists of rejected rows out of use: they are personal data."""
    old = (
        files.c.state == "live",
        files.c.kind.in_(REJECTS),
        files.c.created_at < before,
    )
    with database.read() as connection:
        ids = list(connection.scalars(sa.select(files.c.id).where(*old)))
    if ids:
        with database.transaction("collect.expire") as connection:
            connection.execute(
                files.update().where(files.c.id.in_(ids)).values(state="dead", dead_at=0.0)
            )


def _dead(database: Database, keep: RetentionSpec, moment: float) -> dict[int, str]:
    columns = (files.c.id, files.c.path, files.c.kind, files.c.dead_at, files.c.created_at)
    with database.read() as connection:
        found = connection.execute(sa.select(*columns).where(files.c.state == "dead")).all()
    return {
        row.id: row.path
        for row in found
        if _goes_at(row.kind, row.created_at, row.dead_at, keep) <= moment
    }


def _goes_at(kind: str, created_at: float, dead_at: float, keep: RetentionSpec) -> float:
    """Return when a dead file goes; one that was dead at 0 goes at once, whatever it was for."""
    if kind == HISTORY and dead_at:
        return max(dead_at + keep.history, created_at + keep.undo + READERS_GRACE)
    return dead_at + (READERS_GRACE if kind in REPLACED else 0.0)


def _bury_orphans(database: Database, moment: float) -> None:
    """Announced files whose run or delivery is over; a lease's length is left for late writers.

    They are dead before they are deleted, so that a late writer cannot publish them any more.
    """
    active_run = sa.exists().where(runs.c.id == files.c.run_id, runs.c.active == 1)
    active_delivery = sa.exists().where(
        deliveries.c.id == files.c.delivery_id, deliveries.c.active == 1
    )
    orphaned = sa.and_(
        files.c.state == "writing",
        files.c.created_at < moment - LEASE_SECONDS,
        ~active_run,
        ~active_delivery,
    )
    with database.read() as connection:
        found = connection.scalar(sa.select(sa.func.count()).where(orphaned))
    if found:
        with database.transaction("collect.orphans") as connection:
            connection.execute(files.update().where(orphaned).values(state="dead", dead_at=0.0))


def _delete(path: Path) -> None:
    for left in (path, *path.parent.glob(f".{path.name}.*.tmp")):
        left.unlink(missing_ok=True)


def _delete_forgotten(database: Database, root: Path, moment: float) -> int:
    """Delete files of ours without a row; the row comes first, so after a day it is lost."""
    ours = (path for path in root.glob("*/*.parquet") if _OURS.fullmatch(path.name))
    old = {str(path.relative_to(root)): path for path in ours if _is_old(path, moment)}
    if not old:
        return 0
    with database.read() as connection:
        known = set(connection.scalars(sa.select(files.c.path)))
    forgotten = [path for name, path in old.items() if name not in known]
    for path in forgotten:
        path.unlink(missing_ok=True)
    return len(forgotten)


def _sweep(root: Path, locks: Locks, moment: float) -> None:
    """What killed processes left: spill files at once, the rest after a day, like catalogues."""
    for folder in root.glob(f"{SCRATCH}/*"):
        lock = f"{SCRATCH}-{folder.name}"
        if locks.is_abandoned(lock) or (_is_old(folder, moment) and not locks.exists(lock)):
            shutil.rmtree(folder, ignore_errors=True)
    for leftover in (*root.glob(f"*/{LEFTOVERS}"), *root.glob(f"{CATALOGUES}/*.json")):
        if _is_old(leftover, moment):
            leftover.unlink(missing_ok=True)
    for name in locks.names():
        if locks.age(name, moment) > DAY and locks.is_abandoned(name):
            locks.remove(name)


def _is_old(path: Path, moment: float) -> bool:
    try:
        return path.stat().st_mtime < moment - DAY
    except FileNotFoundError:
        return False
