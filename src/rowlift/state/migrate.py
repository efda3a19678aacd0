"""Bring the state database to this release's tables, after a backup of an SQLite file."""

from pathlib import Path

from alembic.command import upgrade as alembic_upgrade
from alembic.config import Config
from alembic.script import ScriptDirectory

from rowlift.core import faults
from rowlift.core.errors import StateError
from rowlift.db import Database
from rowlift.kit.durable import publish, temporary_for
from rowlift.state.failures import file_errors
from rowlift.state.fresh import alone
from rowlift.state.revision import current
from rowlift.state.snapshot import copy_sqlite

REVISIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database, folder: Path, revisions: Path = REVISIONS) -> None:
    """Upgrade the tables; safe when several processes start at once.

    Raises StateError STATE_NEWER when a newer release wrote the state.
    """
    config = Config()
    config.set_main_option("script_location", str(revisions))
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head()
    if current(database) == head:
        return
    with alone(folder):
        found = current(database)
        if found == head:
            return
        if found not in {one.revision for one in scripts.walk_revisions()}:
            raise StateError(
                "STATE_NEWER",
                f"The state was written by a newer Rowlift (revision {found}).",
                mend="Upgrade Rowlift, or restore the backup made before that upgrade.",
            )
        _back_up(database, folder, found)
        _run(database, config)


def _run(database: Database, config: Config) -> None:
    with database.transaction("state.migrate", alone=True) as connection:
        faults.point("state.migrate.before_upgrade")
        config.attributes["connection"] = connection
        alembic_upgrade(config, "head")


def _back_up(database: Database, folder: Path, revision: str) -> None:
    if not database.is_sqlite or not database.url.database:
        return
    target = folder / f"state-before-{revision}.db"
    temporary = temporary_for(target)
    faults.point("file.before_write")
    with file_errors():
        try:
            copy_sqlite(database.url.database, temporary)
            publish(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
