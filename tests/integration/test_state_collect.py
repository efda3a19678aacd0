"""Which files go and which stay, and what a collection leaves that is killed itself."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from rowlift.core import faults
from rowlift.core.errors import StateError
from rowlift.core.specs import RetentionSpec
from rowlift.state.collect import DAY, READERS_GRACE
from rowlift.state.collect import collect as collect_at
from rowlift.state.files import Owner, StoredFile
from rowlift.state.runs import Run
from rowlift.state.store import Store
from rowlift.state.tables import files

USUAL = RetentionSpec()
SOON = 120.0  # longer than a lease


@pytest.fixture
def store(tmp_path: Path, state_url: str) -> Iterator[Store]:
    opened = Store.open(tmp_path / "data", state_url)
    yield opened
    opened.close()


def write(store: Store, kind: str, run: Run | None = None, *, live: bool = True) -> StoredFile:
    def fill(path: Path) -> int:
        path.write_bytes(b"rows")
        return 1

    stored = store.files.write(kind, Owner(1, "uid", run_id=run.id if run else None), fill)
    if live:
        with store.database.transaction("test") as connection:
            store.files.publish(connection, stored)
    return stored


def retire(store: Store, *stored: StoredFile) -> None:
    with store.database.transaction("test") as connection:
        store.files.retire(connection, stored)


def collect(store: Store, after: float = 0.0, keep: RetentionSpec = USUAL) -> int:
    """Collect as if that many seconds had gone by."""
    moment = time.time() + after
    return collect_at(store.database, store.files.root, store.files.locks, keep, moment)


def states(store: Store) -> dict[str, str]:
    with store.database.read() as connection:
        return {row.path: row.state for row in connection.execute(sa.select(files))}


@pytest.mark.parametrize(
    ("kind", "kept"),
    [
        ("stage", 0.0),
        ("plan", 0.0),
        ("image_base", READERS_GRACE),
        ("ledger_base", READERS_GRACE),
        ("image_delta", 30 * DAY + READERS_GRACE),
    ],
)
def test_a_dead_file_goes_when_its_time_is_over(store: Store, kind: str, kept: float) -> None:
    stored = write(store, kind)
    retire(store, stored)
    if kept:
        assert collect(store, kept - 5) == 0
        assert stored.path.exists()
    assert collect(store, kept + 5) == 1
    assert not stored.path.exists()
    assert states(store) == {}


def test_a_live_file_never_goes(store: Store) -> None:
    kept = [write(store, kind) for kind in ("image_base", "image_delta", "ledger_base", "plan")]
    assert collect(store, 10_000 * DAY) == 0
    assert all(one.path.exists() for one in kept)


@pytest.mark.parametrize("kind", ["rejects", "reject_rows", "apply_rejects", "delivery_rejects"])
def test_lists_of_rejected_rows_go_after_a_month(store: Store, kind: str) -> None:
    stored = write(store, kind)
    assert collect(store, 29 * DAY) == 0
    assert collect(store, 31 * DAY) == 1
    assert not stored.path.exists()


def test_the_project_says_how_long_rejects_and_history_stay(store: Store) -> None:
    week = int(7 * DAY)
    write(store, "rejects")
    assert collect(store, 8 * DAY, RetentionSpec(runs=week)) == 1, "no longer than its run"
    retire(store, write(store, "image_delta"))
    assert collect(store, 8 * DAY) == 0
    assert collect(store, 8 * DAY, RetentionSpec(history=week)) == 0, "its run may be undone"
    assert collect(store, 29 * DAY, RetentionSpec(undo=week)) == 0, "history is kept"
    assert collect(store, 8 * DAY, RetentionSpec(history=week, undo=week)) == 1


def test_a_file_nobody_published_goes_with_its_leftovers(store: Store) -> None:
    stored = write(store, "stage", live=False)
    half = stored.path.with_name(f".{stored.path.name}.4711.tmp")
    half.write_bytes(b"half")
    assert collect(store) == 0, "its writer may be slow"
    assert collect(store, SOON) == 1
    assert not stored.path.exists()
    assert not half.exists()


def test_what_the_database_forgot_goes_after_a_day_and_nothing_else_does(store: Store) -> None:
    forgotten, live = write(store, "image_delta"), write(store, "image_delta")
    with store.database.transaction("test") as connection:  # as a lost -wal file does
        connection.execute(files.delete().where(files.c.id == forgotten.id))
    others = [live.path.with_name(name) for name in ("image_delta-copy.parquet", "notes.txt")]
    others += [store.files.root / live.path.name, store.files.root / "scratch" / "a" / "b.parquet"]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"somebody else's")
    store.files.locks.take("scratch-a")
    assert collect(store, DAY - 60) == 0
    assert collect(store, DAY + 60) == 1
    assert not forgotten.path.exists()
    assert all(path.exists() for path in (live.path, *others))


def test_what_an_active_run_announced_stays(store: Store) -> None:
    run = store.runs.open(1, "uid", "{}")
    stored = write(store, "stage", run, live=False)
    assert collect(store, SOON) == 0
    with store.database.transaction("test") as connection:
        store.files.publish(connection, stored)
    assert states(store) == {str(stored.path.relative_to(store.files.root)): "live"}


def test_a_file_that_was_collected_cannot_become_current_any_more(store: Store) -> None:
    stored = write(store, "ledger_base", live=False)
    stored_twice = write(store, "ledger_base", live=False)
    assert collect(store, SOON) == 2
    stored_twice.path.write_bytes(b"somebody wrote it late")
    for late in (stored, stored_twice):
        with (
            pytest.raises(StateError),
            store.database.transaction("test") as connection,
        ):
            store.files.publish(connection, late)
    assert states(store) == {}


@contextmanager
def broken_at(point: str) -> Iterator[None]:
    faults.arm(f"{point}:1:raise")
    try:
        with pytest.raises(faults.InjectedFault):
            yield
    finally:
        faults.arm()


@pytest.mark.parametrize("point", ["collect.before_commit", "collect.after_commit"])
def test_a_collection_that_dies_is_repeated(store: Store, point: str) -> None:
    stored = write(store, "stage")
    kept = write(store, "image_base")
    retire(store, stored)
    with broken_at(point):
        collect(store)
    collect(store)
    assert not stored.path.exists()
    assert list(states(store)) == [str(kept.path.relative_to(store.files.root))]


@pytest.mark.parametrize(
    ("point", "kind", "live"),
    [
        ("collect.orphans.before_commit", "stage", False),
        ("collect.orphans.after_commit", "stage", False),
        ("collect.expire.before_commit", "rejects", True),
        ("collect.expire.after_commit", "rejects", True),
    ],
)
def test_a_file_on_its_way_out_goes_the_next_time(
    store: Store, point: str, kind: str, live: bool
) -> None:
    stored = write(store, kind, live=live)
    with broken_at(point):
        collect(store, 31 * DAY)
    assert collect(store, 31 * DAY) == 1
    assert not stored.path.exists()
    assert states(store) == {}


def test_spill_files_of_the_living_stay_and_of_the_dead_go(tmp_path: Path, state_url: str) -> None:
    living = Store.open(tmp_path / "data", state_url)
    here = living.files.scratch
    here.mkdir(parents=True)
    there = living.files.root / "scratch" / "left-by-a-dead-process"
    there.mkdir()
    lock = tmp_path / "data" / "locks" / "scratch-left-by-a-dead-process.lock"
    lock.touch()
    other = Store.open(tmp_path / "data", state_url)
    other.collect(USUAL)
    assert here.exists()
    assert not there.exists()
    living.close()
    assert not here.exists()
    other.close()


def test_lock_files_of_yesterday_go_unless_somebody_holds_them(store: Store) -> None:
    run = store.runs.open(1, "uid", "{}")
    with store.runs.lease(run):
        dead = store.folder / "locks" / "runs-99-1.lock"
        dead.touch()
        collect(store)
        assert dead.exists()
        collect(store, 2 * DAY)
        assert [path.name for path in dead.parent.glob("*.lock")] == [f"runs-{run.id}-1.lock"]
