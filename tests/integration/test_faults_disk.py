"""Disks that fill, fail or turn read-only in the middle of a run, and files that are gone after it.

Each fault is healed, two clean runs follow, and everything is compared (faults/proof.py).
"""

import random
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from doors.cli import CliResult
from faults.arena import Arena, changed, ended, some_rows
from faults.disks import disk, failing, filled, needs_root
from faults.proof import prove
from faults.samples import cases
from faults.shops import file_shop

CHANCE = random.Random(20)


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    folder = tmp_path / "acme"
    folder.mkdir()
    made = Arena(folder, file_shop(folder / "shop.db"))
    made.write()
    made.replace(some_rows())
    return made


def begun(arena: Arena) -> Arena:
    """An arena after a first run, whose shop changed since."""
    arena.run()
    arena.replace(changed(arena.rows, CHANCE))
    return arena


def told(done: CliResult, *codes: str) -> None:
    assert done.code == 1, done
    assert any(code in done.stderr for code in codes), done
    assert len(done.stderr.splitlines()) >= 2, "it does not say what to do"


@needs_root
@pytest.mark.parametrize(
    "point",
    cases(
        "deliver.after_send:1",  # what was answered
        "run.merge.before_commit:1",  # image
        "run.open.after_commit:1",  # stage
        "delivery.claim.after_commit:1",  # plan
        "delivery.record.before_commit:1",  # ledger
        few=2,
    ),
)
def test_F20_a_disk_that_fills_in_mid_run_stops_it_and_loses_nothing(
    arena: Arena, point: str
) -> None:
    with disk(arena.data, "20m") as small:
        begun(arena)
        with arena.standing(point) as running, filled(small):
            told(ended(running, signal.SIGCONT), "STATE_FULL")
            assert arena.cli("runs").code == 0, "what happened cannot be read any more"
        prove(arena, deaths=1)


@pytest.mark.parametrize("size", cases(120_000, 30_000))
def test_F21_a_limit_of_the_file_size_stops_a_later_run(arena: Arena, size: int) -> None:
    begun(arena)
    told(arena.cli("run", "people", before=("prlimit", f"--fsize={size}", "--")), "STATE_FULL")
    prove(arena, deaths=1)


@pytest.mark.parametrize("when", cases("25+", "2+", "60+"))
def test_F22_a_disk_that_turns_read_only_stops_the_run(arena: Arena, when: str) -> None:
    begun(arena)
    calls = "pwrite64,ftruncate,fsync,fdatasync,rename,unlink,mkdir"
    told(arena.cli("run", "people", before=failing(calls, "EROFS", when)), "STATE_")
    prove(arena, deaths=1)


@pytest.mark.parametrize("when", cases("9", "1", "5", "11+", few=2))
def test_F23_T17_a_commit_whose_fsync_failed_is_looked_up_not_believed(
    arena: Arena, when: str
) -> None:
    begun(arena)
    done = arena.cli("run", "people", before=failing("fsync,fdatasync", "EIO", when))
    told(done, "STATE_FULL")
    prove(arena, deaths=1)


@pytest.mark.parametrize(
    "point", cases("deliver.after_send:1", "run.merge.after_commit:1", "run.record.after_commit:1")
)
def test_F25_a_lost_write_ahead_log_is_refused_or_made_up_for(arena: Arena, point: str) -> None:
    begun(arena)
    with arena.standing(point) as running:
        running.kill()
    (arena.data / "state.db-wal").unlink()
    (arena.data / "state.db-shm").unlink()
    done = arena.cli("run", "people")
    assert done.code == 1, done
    forget_waste(arena)
    prove(arena, deaths=2)


def forget_waste(arena: Arena) -> None:
    """Delete what the state forgot with its log: files that nobody counts, and collects, any more.

    Those of a first state are what tells that it is gone; there is nothing else wrong with them.
    """
    with closing(sqlite3.connect(arena.data / "state.db")) as state:
        known = {path for (path,) in state.execute("SELECT path FROM files")}
    root = arena.data / "files"
    for path in root.rglob("*.parquet"):
        if str(path.relative_to(root)) not in known:
            path.unlink()


def test_F68_a_destination_folder_that_cannot_be_written_loses_nothing(arena: Arena) -> None:
    blocked = arena.folder / "out"
    blocked.write_text("in the way")
    arena.destinations["lake"] = {"type": "files", "path": str(blocked), "format": "jsonl"}
    arena.write()
    done = arena.cli("run", "people")
    assert done.code == 1, done
    assert "lake" in done.stdout
    assert len(arena.log.read_text().splitlines()) > 0, "the other destination got nothing"
    blocked.unlink()
    arena.run()
    assert sum(len(path.read_text().splitlines()) for path in blocked.rglob("*.jsonl")) == 12
