"""The whole state database as one SQLite file, and back: whatever it is kept in, then and now."""

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL

from rowlift.core import faults
from rowlift.core.errors import StateError
from rowlift.db import Database, metadata
from rowlift.state.failures import file_errors
from rowlift.state.fresh import create

DAMAGED = "state-damaged.db"

_BY_CHUNK = {"yield_per": 5000}  # rows
_BUSY_SECONDS = 30

_LAST_NUMBERS = "SELECT name, seq FROM sqlite_sequence"
_FORGET_NUMBERS = "DELETE FROM sqlite_sequence"
_KEEP_NUMBER = "INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"
_SEQUENCE = "SELECT pg_get_serial_sequence(:name, :key)"
_LAST_NUMBER = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"
_SET_NUMBER = "SELECT setval(CAST(:sequence AS regclass), greatest(:seq, 1), :seq > 0)"


def database_at(path: Path) -> Database:
    """Return the SQLite database of a file."""
    return Database(URL.create("sqlite", database=str(path)))


def take(database: Database, to: Path) -> None:
    """Write the state as it is at one moment; nobody waits for it meanwhile.

    Raises StateError STATE_FULL.
    """
    if database.is_sqlite:
        copy_sqlite(str(database.url.database), to)
        return
    with file_errors():
        to.touch(mode=0o600)
    copy = database_at(to)
    try:
        create(copy)
        with database.read() as source, copy.transaction("snapshot.take") as target:
            _copy_rows(source, target)
            _keep_numbers(target, _sequences(source))
        copy.checkpoint()
    finally:
        copy.close()


def copy_sqlite(path: str, to: Path) -> None:
    """Copy an SQLite database as it is at one moment; raises StateError STATE_FULL."""
    to.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as copy:
            source.backup(copy)
    except sqlite3.Error as error:
        raise StateError(
            "STATE_FULL",
            f"The copy of the state database failed: {error}.",
            mend="Free space and run again: nothing was changed.",
        ) from error


def put(copy: Path, database: Database) -> None:
    """Put a snapshot in the place of the whole state, in one transaction.

    Both have the tables of this release. Raises StateError.
    """
    if database.is_sqlite:
        _put_sqlite(copy, Path(str(database.url.database)))
        return
    there = database_at(copy)
    try:
        with there.read() as source, database.transaction("snapshot.put", alone=True) as target:
            tables = ", ".join(f'"{name}"' for name in metadata.tables)
            target.exec_driver_sql(f"TRUNCATE {tables}")
            _copy_rows(source, target)
            numbers = {row.name: row.seq for row in source.execute(sa.text(_LAST_NUMBERS))}
            _set_sequences(target, numbers)
    finally:
        there.close()


def set_aside(path: Path) -> None:
    """Give a damaged SQLite file, with what belongs to it, another name."""
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        faults.point("snapshot.before_rename")
        with file_errors():
            if part.exists():
                part.replace(path.with_name(DAMAGED + suffix))


def _put_sqlite(copy: Path, path: Path) -> None:
    """Copy page by page in one transaction of SQLite's: a kill leaves the old state."""
    try:
        with (
            closing(sqlite3.connect(copy)) as source,
            closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as target,
        ):
            faults.point("snapshot.put.before_commit")
            source.backup(target)
            faults.point("snapshot.put.after_commit")
            target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise StateError(
            "STATE_LOCKED",
            f"The state database could not be replaced: {error}.",
            mend="End whatever uses it, free space, and restore again: nothing was changed.",
        ) from error


def _copy_rows(source: sa.Connection, target: sa.Connection) -> None:
    for table in metadata.sorted_tables:
        found = source.execute(sa.select(table), execution_options=_BY_CHUNK)
        for rows in found.mappings().partitions():
            target.execute(table.insert(), [dict(row) for row in rows])


def _numbered() -> list[tuple[str, str]]:
    """Return the tables that give numbers, each with its column."""
    return [
        (table.name, next(iter(table.primary_key)).name)
        for table in metadata.sorted_tables
        if table.dialect_options["sqlite"]["autoincrement"]
    ]


def _sequences(source: sa.Connection) -> dict[str, int]:
    """Return the last number that PostgreSQL gave in each table."""
    found = {}
    for name, key in _numbered():
        sequence = source.scalar(sa.text(_SEQUENCE), {"name": name, "key": key})
        query = sa.text(_LAST_NUMBER.format(sequence=sequence))
        found[name] = int(source.scalar(query) or 0)
    return found


def _set_sequences(target: sa.Connection, numbers: dict[str, int]) -> None:
    for name, key in _numbered():
        sequence = target.scalar(sa.text(_SEQUENCE), {"name": name, "key": key})
        given = {"sequence": sequence, "seq": numbers.get(name, 0)}
        target.execute(sa.text(_SET_NUMBER), given)


def _keep_numbers(target: sa.Connection, numbers: dict[str, int]) -> None:
    target.execute(sa.text(_FORGET_NUMBERS))
    rows = [{"name": name, "seq": number} for name, number in numbers.items()]
    target.execute(sa.text(_KEEP_NUMBER), rows)
