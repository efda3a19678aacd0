"""Backups taken at any moment, restored anywhere, and what is done to archives in between."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

import rowlift
from doors.cli import CliResult, run_cli
from doors.forks import forked
from rowlift.core import faults
from rowlift.core.errors import RowliftError
from rowlift.core.progress import Silent
from rowlift.kit.archive import FORMAT, MANIFEST
from rowlift.operations.backups import back_up
from rowlift.operations.restoring import restore
from rowlift.state.snapshot import put, take
from rowlift.state.store import Store
from rowlift.testing.clock import QuickClock
from servers import postgres
from world import World

HELD = [(f"k{n}", "old") for n in range(20)]
KILLED = -9


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "acme")
    made.sync["workspace"] = "write"
    made.use["removed"] = "delete"
    made.rows(*HELD)
    made.save()
    return made


def elsewhere(world: World, name: str = "moved") -> World:
    """The same project on another machine: its files, source and destination, but no state."""
    moved = World(world.folder.parent / name, world.columns)
    moved.sync, moved.use, moved.shop = world.sync, world.use, world.shop
    moved.log = world.log  # type: ignore[method-assign]
    moved.save()
    return moved


def cli(world: World, *words: str | Path) -> CliResult:
    done = run_cli(*words, cwd=world.folder, env=world.env)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def backed_up(world: World, name: str = "backup.zip") -> Path:
    path = world.folder.parent / name
    assert cli(world, "backup", path).code == 0
    return path


def restored(world: World, archive: Path, *options: str) -> None:
    done = cli(world, "restore", archive, *options)
    assert done.code == 0, done.stderr


def expected(rows: list[tuple[str, str]]) -> dict[str, dict[str, str]]:
    return {key: {"plan": plan} for key, plan in rows}


class Archivist(Silent):
    """Takes a backup at each phase of a run and of its delivery."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.taken: list[Path] = []

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        path = self._world.folder.parent / f"{len(self.taken)}-{phase.replace(' ', '-')}.zip"
        back_up(self._world.folder, self._world.env, path)
        self.taken.append(path)


@pytest.mark.door("cli")
def test_F65_backups_taken_during_a_run_are_restored_elsewhere_and_go_on(world: World) -> None:
    archivist = Archivist(world)
    with rowlift.Project(
        world.folder, clock=QuickClock(), env=world.env, progress=archivist
    ) as project:
        project.run(["people"])
    assert len(archivist.taken) > 4
    for number, archive in enumerate(archivist.taken):
        moved = elsewhere(world, f"moved-{number}")
        assert cli(moved, "restore", archive).code == 0
        assert moved.run().status == "Completed"
        with moved.project() as project:
            assert len(project.people(limit=20)) == len(HELD)
        assert world.applied() == expected(HELD)


def test_T24_a_state_from_the_past_claims_nothing_of_what_came_since(world: World) -> None:
    """A row went to new values and back, one came back, one left: the ledger knew none of it."""
    world.run()
    archive = backed_up(world)
    world.rows(*((key, "new") for key, _ in HELD))
    world.run()
    world.rows(*HELD[1:])
    before = {one["message_id"] for one in world.sent()}
    restored(world, archive, "--replace")
    world.run()
    assert world.applied() == expected(HELD[1:])
    again = world.sent()[-len(HELD) :]
    assert before.isdisjoint(one["message_id"] for one in again)
    assert world.run().counts["unchanged"] == len(HELD) - 1
    assert len(world.sent()) == 3 * len(HELD), "nothing is sent once more"


def test_the_same_backup_restored_twice_never_repeats_an_id(world: World) -> None:
    world.run()
    archive = backed_up(world)
    epochs = set()
    for name in ("one", "two"):
        moved = elsewhere(world, name)
        epochs.add(restore(moved.folder, moved.env, archive).reset_epoch)
        epochs.add(restore(moved.folder, moved.env, archive, replace=True).reset_epoch)
        moved.run()
    assert min(epochs) > 1
    ids = [one["message_id"] for one in world.sent()]
    assert len(ids) == 3 * len(HELD)


@pytest.mark.door("cli")
def test_a_state_that_is_there_or_at_work_is_not_replaced_by_the_way(world: World) -> None:
    world.run()
    archive = backed_up(world)
    done = cli(world, "backup", archive)
    assert (done.code, "FILE_EXISTS" in done.stderr) == (2, True)
    done = cli(world, "restore", archive)
    assert (done.code, "STATE_PRESENT" in done.stderr) == (4, True)
    with world.project() as project:
        serving = project.serving()
        serving.start()
        done = cli(world, "restore", archive, "--replace")
    assert (done.code, "BUSY" in done.stderr) == (5, True)
    assert world.run().counts["unchanged"] == len(HELD)


@pytest.mark.door("cli")
def test_F24_a_damaged_state_is_replaced_and_kept_beside(world: World) -> None:
    world.run()
    archive = backed_up(world)
    state = world.folder / ".rowlift" / "state.db"
    for suffix in ("-wal", "-shm"):
        state.with_name(state.name + suffix).unlink(missing_ok=True)
    state.write_bytes(b"\xff" * 8192)
    done = cli(world, "run")
    assert "rowlift restore FILE --replace" in done.stderr
    assert cli(world, "restore", archive).code == 4
    restored(world, archive, "--replace")
    damaged = state.with_name("state-damaged.db")
    assert damaged.read_bytes() == b"\xff" * 8192
    world.run()
    assert world.applied() == expected(HELD)
    with world.project() as project:
        project.erase("k0")
    assert not damaged.exists(), "it may have named them"


# killed anywhere


def _restore(folder: str, archive: str, spec: str, record: str) -> None:
    faults.arm(spec, record)
    restore(Path(folder), {}, Path(archive), replace=True)
    os._exit(0)


def _back_up(folder: str, archive: str, spec: str, record: str) -> None:
    faults.arm(spec, record)
    back_up(Path(folder), {}, Path(archive))
    os._exit(0)


def points(record: Path) -> Iterator[str]:
    """Each point once, at its first and at its last passing."""
    names = record.read_text().split()
    for name in dict.fromkeys(names):
        for number in sorted({1, names.count(name)}):
            yield f"{name}:{number}:kill"


@pytest.mark.timeout(300)
def test_a_restore_that_is_killed_anywhere_is_done_again(world: World, tmp_path: Path) -> None:
    world.run()
    archive, record = backed_up(world), tmp_path / "points"
    world.rows(*((key, "new") for key, _ in HELD))
    world.run()
    world.rows(*HELD)
    kept = tmp_path / "kept"
    shutil.copytree(world.folder, kept)
    target = tmp_path / "target"
    shutil.copytree(kept, target)
    assert forked(_restore, str(target), str(archive), "", str(record), seconds=60) == 0
    walked = list(points(record))
    assert {"snapshot.put.before_commit:1:kill", "file.after_rename:1:kill"} <= {*walked}
    for spec in walked:
        shutil.rmtree(target)
        shutil.copytree(kept, target)
        code = forked(_restore, str(target), str(archive), spec, "", seconds=60)
        assert code == KILLED, spec
        rowlift.Project(target, env={}).ls()  # the old state or the new one, not a mixture
        restore(target, {}, archive, replace=True)
    with rowlift.Project(target, clock=QuickClock(), env={}) as project:
        project.run(["people"])
    assert world.applied() == expected(HELD)


def test_a_backup_that_is_killed_anywhere_leaves_none(world: World, tmp_path: Path) -> None:
    world.run()
    record, folder = tmp_path / "points", str(world.folder)
    whole = tmp_path / "whole.zip"
    assert forked(_back_up, folder, str(whole), "", str(record), seconds=60) == 0
    for number, spec in enumerate(points(record)):
        path = tmp_path / f"{number}.zip"
        assert forked(_back_up, folder, str(path), spec, "", seconds=60) == KILLED, spec
        assert path.exists() is spec.startswith("file.after_rename"), spec
    restored(elsewhere(world), backed_up(world))


# archives that are not as they were written


def rewritten(
    archive: Path, to: Path, change: Callable[[dict[str, bytes], dict[str, object]], None]
) -> Path:
    """Write an archive anew, with the names, contents and manifest that a function changed."""
    with zipfile.ZipFile(archive) as source:
        members = {name: source.read(name) for name in source.namelist()}
    manifest = json.loads(members.pop(MANIFEST))
    change(members, manifest)
    with zipfile.ZipFile(to, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
        target.writestr(MANIFEST, json.dumps(manifest))
    return to


def renamed(to: str) -> Callable[[dict[str, bytes], dict[str, object]], None]:
    """Let the first file have another name, in the manifest too."""

    def change(members: dict[str, bytes], manifest: dict[str, object]) -> None:
        name = next(one for one in members if one.startswith("files/"))
        members[to] = members.pop(name)
        entry = next(one for one in manifest["members"] if one["name"] == name)  # type: ignore[attr-defined]
        entry["name"] = to

    return change


def newer(_members: dict[str, bytes], manifest: dict[str, object]) -> None:
    manifest["format"] = FORMAT + 1


def added(members: dict[str, bytes], _manifest: dict[str, object]) -> None:
    members["files/x/more.parquet"] = b"x"


def lacking(members: dict[str, bytes], manifest: dict[str, object]) -> None:
    name = next(one for one in members if one.startswith("files/"))
    del members[name]
    manifest["members"] = [one for one in manifest["members"] if one["name"] != name]  # type: ignore[attr-defined]


def other_bytes(members: dict[str, bytes], _manifest: dict[str, object]) -> None:
    members["state.db"] = members["state.db"][:-1] + b"\x01"


def without_state(members: dict[str, bytes], manifest: dict[str, object]) -> None:
    members.clear()
    manifest["members"] = []


def undated(_members: dict[str, bytes], manifest: dict[str, object]) -> None:
    manifest["about"] = {"rowlift": "1.0.0"}


HOSTILE: Mapping[str, Callable[[dict[str, bytes], dict[str, object]], None]] = {
    "a newer format": newer,
    "one more file": added,
    "a lost file": lacking,
    "another state": other_bytes,
    "no state": without_state,
    "no date": undated,
    **{
        f"a file named {name}": renamed(name)
        for name in (
            "../escaped.parquet",
            "files/../../escaped.parquet",
            "/tmp/escaped.parquet",
            "files/..\\escaped.parquet",
            "files/x/../../../escaped.parquet",
            "secret.key/x",
        )
    },
}


@pytest.mark.door("cli")
def test_S30_an_archive_that_was_changed_changes_nothing(world: World, tmp_path: Path) -> None:
    world.run()
    archive = backed_up(world)
    whole = archive.read_bytes()
    tampered = []
    for number, (name, change) in enumerate(HOSTILE.items()):
        tampered.append((name, rewritten(archive, tmp_path / f"h{number}.zip", change)))
    for share in (0, 1, len(whole) // 2, len(whole) - 1):
        cut = tmp_path / f"cut{share}.zip"
        cut.write_bytes(whole[:share])
        tampered.append((f"cut at {share}", cut))
    for place in range(200, len(whole) - 200, len(whole) // 7):
        path = tmp_path / f"flip{place}.zip"
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        tampered.append((f"flipped at {place}", path))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    tampered += [("a pipe", pipe), ("a device", Path("/dev/zero")), ("a folder", tmp_path)]
    moved = elsewhere(world)
    for name, path in tampered:
        with pytest.raises(RowliftError) as refused:
            restore(moved.folder, {}, path)
        code = "BACKUP_NEWER" if name == "a newer format" else "BACKUP_DAMAGED"
        assert refused.value.code == code, name
        left = {one.name for one in (moved.folder / ".rowlift").rglob("*") if one.is_file()}
        assert left <= {"restore.lock", "state.db", "state.db-wal", "state.db-shm"}, name
    assert not list(tmp_path.rglob("escaped*"))
    done = cli(moved, "restore", tampered[0][1])
    assert (done.code, "BACKUP_NEWER" in done.stderr) == (2, True)
    restored(moved, archive)


def test_a_state_that_names_files_elsewhere_is_refused(world: World) -> None:
    world.run()
    engine = sa.create_engine(f"sqlite:///{world.folder}/.rowlift/state.db")
    with engine.begin() as connection:
        text = "UPDATE files SET state = 'dead', path = '../../precious'"
        text += " WHERE id = (SELECT max(id) FROM files)"
        connection.execute(sa.text(text))
    engine.dispose()
    archive = backed_up(world)
    with pytest.raises(RowliftError) as refused:
        restore(elsewhere(world).folder, {}, archive)
    assert refused.value.code == "BACKUP_DAMAGED"


# on either database, and from one to the other


def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table there is."""
    engine = sa.create_engine(url)
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        found = {
            name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for name, table in tables.tables.items()
            if name != "sqlite_sequence"
        }
    engine.dispose()
    return found


def test_a_state_goes_from_one_database_to_the_other_and_back(
    world: World, postgres_database: postgres.PostgresDatabase, tmp_path: Path
) -> None:
    world.run()
    here = f"sqlite:///{world.folder}/.rowlift/state.db"
    before = contents(here)
    copy, back = tmp_path / "copy.db", tmp_path / "back.db"
    with_rows = Store.open(world.folder / ".rowlift")
    there = Store.open(tmp_path / "there", postgres_database.url)
    try:
        take(with_rows.database, copy)
        put(copy, there.database)
        there.remember("one", "more")
        take(there.database, back)
        run = there.runs.open(1, "x", "{}")
        assert run.id == with_rows.runs.latest(1)[0].id + 1
    finally:
        with_rows.close()
        there.close()
    after = contents(f"sqlite:///{back}")
    after["meta"].remove(("one", "more"))
    assert after == before


def test_a_service_moves_to_postgresql_with_its_state(
    world: World, postgres_database: postgres.PostgresDatabase
) -> None:
    world.run()
    archive = backed_up(world)
    moved = elsewhere(world)
    moved.env = {"ROWLIFT_STATE_URL": postgres_database.url}
    restored(moved, archive)
    assert moved.run().counts["unchanged"] == len(HELD)
    again = backed_up(moved, "again.zip")
    home = elsewhere(world, "home")
    restored(home, again)
    assert home.run().counts["unchanged"] == len(HELD)
    assert world.applied() == expected(HELD)


# secrets


@pytest.mark.door("cli")
def test_S28_a_backup_holds_the_key_of_secrets_only_if_it_is_asked_for(world: World) -> None:
    world.run()
    canary = "canary-4b1d"
    with Stored(world) as store:
        sealed = store.vault.seal("password", canary)
        with store.database.transaction("test") as connection:
            columns = {**sealed.columns(), "uid": "u", "created_at": 1.0}
            connection.execute(sa.text(
                "INSERT INTO secrets (id, uid, path, key_id, sealed, created_at) "
                "VALUES (:id, :uid, :path, :key_id, :sealed, :created_at)"
            ), columns)  # fmt: skip
    plain = backed_up(world)
    key = (world.folder / ".rowlift" / "secret.key").read_bytes().strip()
    with zipfile.ZipFile(plain) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert canary.encode() not in everything
    assert key not in everything
    moved = elsewhere(world)
    done = cli(moved, "restore", plain)
    assert "secret.key" in done.stdout
    whole = world.folder.parent / "with-key.zip"
    assert cli(world, "backup", whole, "--with-key").code == 0
    assert whole.stat().st_mode & 0o077 == 0
    restored(moved, whole, "--replace")
    with Stored(moved) as store:
        assert store.vault.open(sealed.id) == canary


class Stored:
    """The opened state of a world."""

    def __init__(self, world: World) -> None:
        self._folder = world.folder / ".rowlift"

    def __enter__(self) -> Store:
        self._store = Store.open(self._folder)
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()
