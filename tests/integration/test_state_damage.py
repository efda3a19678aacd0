"""A state that is full, damaged, read-only or of another release: told in words, not made worse."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from doors.cli import CliResult, run_cli
from world import World

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("CI"), reason="only root may mount a small disk"
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "acme")
    made.sync["workspace"] = "write"
    made.rows(*((f"k{n}", "x") for n in range(9)))
    made.save()
    return made


def rowlift(world: World, *words: str, before: tuple[str, ...] = (), **env: str) -> CliResult:
    """Run the program, behind a command if one is given; no fault may show as a traceback."""
    done = run_cli(*words, before=before, cwd=world.folder, env=world.env | env)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def refused(done: CliResult, code: str) -> None:
    assert done.code == 1, done
    assert code in done.stderr
    assert len(done.stderr.splitlines()) >= 2, "it does not say what to do"


def everything_arrived(world: World) -> None:
    assert rowlift(world, "run", "people").code == 0
    assert len(world.applied()) == 9


def state(world: World) -> Path:
    return world.folder / ".rowlift" / "state.db"


def no_log(world: World) -> None:
    """Fold the write-ahead log into the file, so that what is damaged is all there is."""
    with closing(sqlite3.connect(state(world))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for name in ("state.db-wal", "state.db-shm"):
        (state(world).parent / name).unlink(missing_ok=True)


# F24, F25: the file itself


def overwrite_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xff" * 4096)


def overwrite_tables(path: Path) -> None:
    """Every page but the first: whichever is read, it is not what it was."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_to_nothing(path: Path) -> None:
    os.truncate(path, 0)


def delete(path: Path) -> None:
    path.unlink()


def make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        pytest.param(overwrite_header, "STATE_DAMAGED", id="F24-header"),
        pytest.param(overwrite_tables, "STATE_DAMAGED", id="F24-tables"),
        pytest.param(cut_in_half, "STATE_DAMAGED", id="F25-truncated"),
        pytest.param(cut_to_nothing, "STATE_DAMAGED", id="F25-empty"),
        pytest.param(delete, "STATE_DAMAGED", id="F25-gone"),
        pytest.param(make_a_folder, "STATE_UNREACHABLE", id="F25-folder"),
    ],
)
def test_F24_F25_a_damaged_state_is_refused_and_its_backup_works(
    world: World, damage: object, code: str
) -> None:
    everything_arrived(world)
    no_log(world)
    backup = shutil.copy(state(world), world.folder / "backup.db")
    assert callable(damage)
    damage(state(world))
    sent = len(world.sent())
    for words in (["run", "people"], ["ls"], ["runs"]):
        refused(rowlift(world, *words), code)
    assert len(world.sent()) == sent
    for left in state(world).parent.glob("state.db*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    shutil.copy(backup, state(world))
    everything_arrived(world)
    assert len(world.sent()) == sent


def test_F26_a_state_of_a_newer_release_is_refused(world: World) -> None:
    everything_arrived(world)
    with closing(sqlite3.connect(state(world))) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    done = rowlift(world, "run", "people")
    refused(done, "STATE_NEWER")
    assert "9999" in done.stderr


def test_F26_a_newer_state_on_a_server_is_refused(world: World, postgres_database) -> None:
    world.env["ROWLIFT_STATE_URL"] = postgres_database.url
    everything_arrived(world)
    postgres_database.execute("UPDATE alembic_version SET version_num = '9999'")
    refused(rowlift(world, "run", "people"), "STATE_NEWER")


def test_a_state_server_that_is_gone_is_told(world: World, postgres_database) -> None:
    world.env["ROWLIFT_STATE_URL"] = postgres_database.url
    everything_arrived(world)
    postgres_database.server.drop_database(postgres_database.name)
    done = rowlift(world, "run", "people")
    refused(done, "STATE_UNREACHABLE")
    assert postgres_database.server.password not in done.stderr + done.stdout


# F20, F22: disks


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", folder], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def many(world: World, count: int) -> None:
    world.rows(*((f"k{n}", f"{n * 7919:064x}") for n in range(count)))


@needs_root
@pytest.mark.parametrize("size", ["300k", "700k", "1100k", "1500k", "2m"])
def test_F20_a_full_disk_stops_the_run_and_it_goes_on_with_room(
    world: World, tmp_path: Path, size: str
) -> None:
    """Small sizes are full at the first table, larger ones somewhere later in the run."""
    many(world, 8000)
    world.crm["batch_rows"] = 1000
    world.save()
    with disk(tmp_path / "disk", size) as small:
        world.env["ROWLIFT_DATA_DIR"] = str(small)
        refused(rowlift(world, "run", "people"), "STATE_FULL")
        remount(small, "size=100m")
        assert rowlift(world, "runs").code == 0
        assert rowlift(world, "run", "people").code == 0
        assert len(world.applied()) == 8000
        ids = [message["message_id"] for message in world.sent()]
        assert len(set(ids)) == 8000
        check_integrity(small / "state.db")


def check_integrity(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@needs_root
def test_F22_a_read_only_data_directory_is_told(world: World, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "50m") as there:
        world.env["ROWLIFT_DATA_DIR"] = str(there / "data")
        remount(there, "ro")
        refused(rowlift(world, "run", "people"), "STATE_FULL")  # at its first start
        remount(there, "rw")
        everything_arrived(world)
        remount(there, "ro")
        refused(rowlift(world, "run", "people"), "STATE_")
        remount(there, "rw")
        everything_arrived(world)
        check_integrity(there / "data" / "state.db")


# F21: limits of the process


@pytest.mark.parametrize("size", [100_000, 250_000, 600_000])
def test_F21_a_limit_of_the_file_size_stops_the_run_and_it_goes_on_without(
    world: World, size: int
) -> None:
    many(world, 8000)
    world.crm["batch_rows"] = 1000
    world.save()
    rowlift(world, "ls")
    limited = rowlift(world, "run", "people", before=("prlimit", f"--fsize={size}", "--"))
    refused(limited, "STATE_FULL")
    assert rowlift(world, "run", "people").code == 0
    assert len(world.applied()) == 8000
    check_integrity(state(world))


def test_F23_a_disk_that_loses_what_is_written_is_told(world: World) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    rowlift(world, "ls")
    inject = (strace, "-f", "-qq", "-o", "/dev/null", "-e", "inject=fsync,fdatasync:error=EIO")
    refused(rowlift(world, "run", "people", before=inject), "STATE_FULL")
    everything_arrived(world)
    check_integrity(state(world))
