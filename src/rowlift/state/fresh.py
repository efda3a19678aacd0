"""Make the tables of a new state database, from a text: loading the migrations takes half a second.

`tools/tables.py` writes the text from the migrations.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rowlift.core import faults
from rowlift.core.errors import StateError
from rowlift.db import Database
from rowlift.state.failures import file_errors
from rowlift.state.revision import current

_FOLDER = Path(__file__).parent / "migrations"
TABLES = {dialect: _FOLDER / f"{dialect}.sql" for dialect in ("sqlite", "postgresql")}


def make(database: Database, folder: Path) -> None:
    """Make the tables unless there are any; safe when several processes start at once.

    Raises StateError STATE_DAMAGED when the data directory holds files all the same.
    """
    with alone(folder):
        if current(database) is not None:
            return
        _refuse_loss(folder)
        create(database)


def create(database: Database) -> None:
    """Make the tables of a database that has none."""
    with database.transaction("state.migrate", alone=True) as connection:
        faults.point("state.migrate.before_upgrade")
        text = TABLES[database.url.get_backend_name()].read_text(encoding="utf-8")
        for statement in text.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)


@contextmanager
def alone(folder: Path, work: str = "migrate") -> Iterator[None]:
    """Wait until no other process does the same work, by default that on the tables."""
    with file_errors():
        lock = (folder / f"{work}.lock").open("a", encoding="utf-8")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _refuse_loss(folder: Path) -> None:
    if next((folder / "files").glob("*/*.parquet"), None):
        raise StateError(
            "STATE_DAMAGED",
            f"The state database is empty, but {folder} holds the files of an earlier one.",
            mend="Restore the last backup: rowlift restore FILE. To start from nothing, move that "
            "folder away.",
        )
