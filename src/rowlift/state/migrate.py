"""Bring the state database to this release's tables, after a backup of an SQLite file."""

import fcntl
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic.command import upgrade as alembic_upgrade
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from rowlift.core import faults
from rowlift.core.errors import StateError
from rowlift.db import Database, mapped_errors

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(database: Database, folder: Path) -> None:
    """Make or upgrade the tables; safe when several processes start at once.

    Raises StateError STATE_NEWER when a newer release wrote the state.
    """
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head()
    if _current(database) == head:
        return
    with _alone(folder):
        current = _current(database)
        if current == head:
            return
        if current is not None and current not in {
            one.revision for one in scripts.walk_revisions()
        }:
            raise StateError(
                "STATE_NEWER",
                f"The state was written by a newer Rowlift (revision {current}).",
                mend="Upgrade Rowlift, or restore the backup made before that upgrade.",
            )
        if current is not None:
            _back_up(database, folder, current)
        _run(database, config)


def _current(database: Database) -> str | None:
    with mapped_errors(), database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _run(database: Database, config: Config) -> None:
    with database.transaction("state.migrate") as connection:
        if not database.is_sqlite:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7219061)"))
            if MigrationContext.configure(connection).get_current_revision() is not None:
                pass
        faults.point("state.migrate.before_upgrade")
        config.attributes["connection"] = connection
        alembic_upgrade(config, "head")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "migrate.lock").open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _back_up(database: Database, folder: Path, revision: str) -> None:
    if not database.is_sqlite or not database.url.database:
        return
    target = folder / f"state-before-{revision}.db"
    partial = target.with_suffix(".partial")
    with sqlite3.connect(database.url.database) as source, sqlite3.connect(partial) as copy:
        source.backup(copy)
    shutil.move(partial, target)
