"""Bring the state database to this release's tables, after a backup of an SQLite file."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic.command import upgrade as alembic_upgrade
from alembic.config import Config
from alembic.script import ScriptDirectory

from rowlift.core import faults
from rowlift.core.errors import StateError
from rowlift.db import Database
from rowlift.kit.durable import publish, temporary_for
from rowlift.state.failures import file_errors
from rowlift.state.revision import current

REVISIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database, folder: Path, revisions: Path = REVISIONS) -> None:
    """Make or upgrade the tables; safe when several processes start at once.

    Raises StateError STATE_NEWER when a newer release wrote the state, and STATE_DAMAGED when the
    database is empty although the data directory is not.
    """
    config = Config()
    config.set_main_option("script_location", str(revisions))
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head()
    if current(database) == head:
        return
    with _alone(folder):
        found = current(database)
        if found == head:
            return
        if found is not None and found not in {one.revision for one in scripts.walk_revisions()}:
            raise StateError(
                "STATE_NEWER",
                f"The state was written by a newer Rowlift (revision {found}).",
                mend="Upgrade Rowlift, or restore the backup made before that upgrade.",
            )
        if found is None:
            _refuse_loss(folder)
        else:
            _back_up(database, folder, found)
        _run(database, config)


def _refuse_loss(folder: Path) -> None:
    if next((folder / "files").glob("*/*.parquet"), None):
        raise StateError(
            "STATE_DAMAGED",
            f"The state database is empty, but {folder} holds the files of an earlier one.",
            mend="Restore the last backup; to start from nothing, move that folder away.",
        )


def _run(database: Database, config: Config) -> None:
    with database.transaction("state.migrate", alone=True) as connection:
        faults.point("state.migrate.before_upgrade")
        config.attributes["connection"] = connection
        alembic_upgrade(config, "head")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with file_errors():
        lock = (folder / "migrate.lock").open("a", encoding="utf-8")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _back_up(database: Database, folder: Path, revision: str) -> None:
    if not database.is_sqlite or not database.url.database:
        return
    target = folder / f"state-before-{revision}.db"
    temporary = temporary_for(target)
    faults.point("file.before_write")
    with file_errors():
        try:
            _copy(database.url.database, temporary)
            publish(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def _copy(path: str, to: Path) -> None:
    to.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as copy:
            source.backup(copy)
    except sqlite3.Error as error:
        raise StateError(
            "STATE_FULL",
            f"The backup before the upgrade failed: {error}.",
            mend="Free space and run again: nothing was changed.",
        ) from error
