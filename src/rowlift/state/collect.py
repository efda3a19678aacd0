"""Delete files that nothing counts any more.

A file goes when its row is dead and past its retention, or when it was announced and never made
live by a run or delivery that is over. What a killed process left half written goes with it, and
so do lock files that nobody holds, and files of ours that the database forgot, as it does when
its last transactions are lost.
"""

import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from rowlift.db import LEASE_SECONDS, Database
from rowlift.kit.durable import LEFTOVERS
from rowlift.state.files import SCRATCH
from rowlift.state.locks import Locks
from rowlift.state.tables import deliveries, files, runs

DAY = 86_400.0

_OURS = re.compile(r"[a-z_]+-[0-9a-f]{32}\.parquet")

# Seconds a dead file is kept, by kind; what is not listed goes at once. Another process may
# still read a base, ledger or held rows that were replaced under it.
READERS_GRACE = 3600.0
RETENTION: Mapping[str, float] = {
    "image_base": READERS_GRACE,
    "image_delta": 30 * DAY,
    "ledger_base": READERS_GRACE,
    "ledger_delta": READERS_GRACE,
    "held": READERS_GRACE,
}

# Seconds after which live files of finished runs are retired: their rows hold personal data.
EXPIRY: Mapping[str, float] = {
    "rejects": 30 * DAY,
    "apply_rejects": 30 * DAY,
    "delivery_rejects": 30 * DAY,
}


def collect(database: Database, root: Path, locks: Locks, now: float | None = None) -> int:
    """Delete what is due and return how many files went; safe beside running processes."""
    moment = time.time() if now is None else now
    _expire(database, moment)
    _bury_orphans(database, moment)
    doomed = _dead(database, moment)
    for path in doomed.values():
        _delete(root / path)
    if doomed:
        with database.transaction("collect") as connection:
            connection.execute(files.delete().where(files.c.id.in_(list(doomed))))
    _sweep(root, locks, moment)
    return len(doomed) + _delete_forgotten(database, root, moment)


def _expire(database: Database, moment: float) -> None:
    old = sa.or_(
        *(
            sa.and_(files.c.kind == kind, files.c.created_at < moment - keep)
            for kind, keep in EXPIRY.items()
        )
    )
    with database.read() as connection:
        ids = list(connection.scalars(sa.select(files.c.id).where(files.c.state == "live", old)))
    if ids:
        with database.transaction("collect.expire") as connection:
            connection.execute(
                files.update().where(files.c.id.in_(ids)).values(state="dead", dead_at=moment)
            )


def _dead(database: Database, moment: float) -> dict[int, str]:
    query = sa.select(files.c.id, files.c.path, files.c.kind, files.c.dead_at)
    with database.read() as connection:
        found = connection.execute(query.where(files.c.state == "dead")).all()
    return {
        row.id: row.path for row in found if row.dead_at + RETENTION.get(row.kind, 0.0) <= moment
    }


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
    """What killed processes left: spill files at once, the rest after a day."""
    for folder in root.glob(f"{SCRATCH}/*"):
        lock = f"{SCRATCH}-{folder.name}"
        if locks.is_abandoned(lock) or (_is_old(folder, moment) and not locks.exists(lock)):
            shutil.rmtree(folder, ignore_errors=True)
    for leftover in root.glob(f"*/{LEFTOVERS}"):
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
