"""The tables a release makes, and an upgrade that is killed anywhere."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import rowlift.state.accounts_tables
import rowlift.workspace.tables  # noqa: F401 - their tables belong to the metadata
from rowlift.core import faults
from rowlift.core.errors import StateError
from rowlift.db import Database, metadata
from rowlift.state.migrate import REVISIONS, upgrade
from rowlift.state.revision import HEAD, current
from rowlift.state.store import Store

LATER = '''"""A later release."""

import sqlalchemy as sa
from alembic import op

revision = "later"
down_revision = "{head}"


def upgrade() -> None:
    op.add_column("runs", sa.Column("mood", sa.Text()))
    op.create_table("moods", sa.Column("name", sa.Text(), primary_key=True))
    op.execute("UPDATE meta SET value = '2' WHERE key = 'reset_epoch'")
'''


def revision_of(database: Database) -> str | None:
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def test_a_start_knows_the_newest_tables_without_reading_the_migrations(state_url: str) -> None:
    scripts = ScriptDirectory(str(REVISIONS))
    assert scripts.get_current_head() == HEAD
    database = Database(state_url)
    try:
        assert current(database) is None
    finally:
        database.close()


def test_the_migrations_make_exactly_the_tables_of_the_code(tmp_path: Path, state_url: str) -> None:
    store = Store.open(tmp_path / "data", state_url)
    try:
        with store.database.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
    finally:
        store.close()


@pytest.fixture
def later(tmp_path: Path, state_url: str) -> Iterator[tuple[Database, Path, Path]]:
    """A state with this release's tables, its folder, and the migrations of a later one."""
    folder = tmp_path / "data"
    store = Store.open(folder, state_url)
    head = revision_of(store.database)
    store.close()
    revisions = tmp_path / "migrations"
    shutil.copytree(REVISIONS, revisions)
    (revisions / "versions" / "later.py").write_text(LATER.format(head=head))
    database = Database(state_url)
    yield database, folder, revisions
    database.close()


def columns(database: Database) -> tuple[bool, bool, str]:
    """Return whether the column and the table of the later release are there, and the epoch."""
    found = sa.inspect(database.engine)
    names = {column["name"] for column in found.get_columns("runs")}
    with database.read() as connection:
        epoch = connection.scalar(sa.text("SELECT value FROM meta WHERE key = 'reset_epoch'"))
    return "mood" in names, found.has_table("moods"), str(epoch)


OLD = (False, False, "1")
NEW = (True, True, "2")


def test_F26_an_older_state_is_upgraded_after_a_backup(
    later: tuple[Database, Path, Path],
) -> None:
    database, folder, revisions = later
    before = revision_of(database)
    upgrade(database, folder, revisions)
    assert (revision_of(database), columns(database)) == ("later", NEW)
    backup = folder / f"state-before-{before}.db"
    assert backup.exists() is database.is_sqlite
    if database.is_sqlite:
        assert backup.stat().st_mode & 0o077 == 0
        with closing(sqlite3.connect(backup)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (
                before,
            )
    with pytest.raises(StateError) as refused:
        upgrade(database, folder)
    assert refused.value.code == "STATE_NEWER"


@contextmanager
def broken_at(point: str) -> Iterator[None]:
    faults.arm(f"{point}:raise")
    try:
        yield
    finally:
        faults.arm()


def test_F14_an_upgrade_that_dies_leaves_the_old_or_the_new(
    later: tuple[Database, Path, Path],
) -> None:
    database, folder, revisions = later
    before = revision_of(database)
    seen = set()
    for point in points(database):
        with broken_at(point), pytest.raises(faults.InjectedFault):
            upgrade(database, folder, revisions)
        found = (revision_of(database), columns(database))
        assert found in {(before, OLD), ("later", NEW)}, point
        assert not list(folder.glob(".*.tmp")), point
        seen.add(found)
    assert len(seen) == 2
    upgrade(database, folder, revisions)
    assert (revision_of(database), columns(database)) == ("later", NEW)


def points(database: Database) -> list[str]:
    """Every point of an upgrade, in their order; the last one comes after its commit."""
    files = ["file.before_write:1", "file.before_rename:1", "file.after_rename:1"]
    commit = ["before_upgrade:1", "before_commit:1", "after_commit:1"]
    return [*(files if database.is_sqlite else []), *(f"state.migrate.{one}" for one in commit)]
