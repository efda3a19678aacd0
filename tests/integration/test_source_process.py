"""Sources in processes of their own: the same answers, and an end whatever a driver does."""

import gc
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from rowlift.core.errors import ConnectError, SourceError
from rowlift.core.ports import FactSource, Source
from rowlift.kit import sourceprocess
from rowlift.kit.sourceprocess import in_a_process
from rowlift.registry import source_kind
from served import until

Mine = Callable[[], list[int]]

KINDS = ("duckdb", "files", "sqlite")
PEOPLE = (
    "CREATE TABLE people (id INTEGER, name TEXT, born DATE)",
    "INSERT INTO people VALUES (1, 'Ann', '1990-01-02'), (2, NULL, NULL), (3, 'Cy', '2001-12-31')",
)
# One call of a function, which a driver finishes before it looks whether it should end.
STUCK = {
    "duckdb": "SELECT levenshtein(repeat('a', 2000000), repeat('b', 2000000)) AS id",
    "files": "SELECT levenshtein(repeat('a', 2000000), repeat('b', 2000000)) AS id",
    "sqlite": "SELECT instr(hex(zeroblob(30000000)), hex(zeroblob(9000000)) || 'x') AS id",
}
DYING = """
import sys
from rowlift.kit.sourceprocess import in_a_process
from rowlift.registry import source_kind
kind = source_kind(sys.argv[1])
source = in_a_process(kind, kind.Config(**{sys.argv[2]: sys.argv[3]}))
source.now()
print("asked", flush=True)
if sys.argv[4]:
    source.query(sys.argv[4]).read_all()
sys.stdin.read()
"""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(kind: str, tmp_path: Path) -> dict[str, str]:
    """Make three people; returns the settings that lead to them."""
    path = tmp_path / f"people.{kind}"
    if kind == "files":
        path.mkdir()
        lines = ["id,name,born", "1,Ann,1990-01-02", "2,,", "3,Cy,2001-12-31"]
        (path / "people.csv").write_text("\n".join(lines))
        return {"root": str(path)}
    opened = sqlite3.connect(path) if kind == "sqlite" else duckdb.connect(path)
    for statement in PEOPLE:
        opened.execute(statement)
    opened.commit()
    opened.close()
    return {"path": str(path)}


@pytest.fixture
def config(kind: str, place: dict[str, str]) -> Any:
    return source_kind(kind).Config(**place, statement_timeout=60)


@pytest.fixture
def source(kind: str, config: Any, temporary: Path, mine: Mine) -> Iterator[Source]:
    assert temporary.is_dir()
    source = in_a_process(source_kind(kind), config)
    yield source
    source.close()
    sourceprocess.PROCESSES.end()
    assert not mine()
    assert not list(temporary.iterdir())


@pytest.fixture(autouse=True)
def mine() -> Mine:
    """Return what tells the processes that this test has for sources, and what is left of them."""
    gc.collect()
    sourceprocess.PROCESSES.end()
    before = {*processes(os.getpid())}
    return lambda: [one for one in processes(os.getpid()) if one not in before]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything temporary lies."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def processes(parent: int) -> list[int]:
    """Those that a process has for sources, and what is left of them."""
    return [int(one.name) for one in Path("/proc").glob("[0-9]*") if _is_of(one, parent)]


def _is_of(process: Path, parent: int) -> bool:
    with suppress(OSError):
        state, parent_id = (process / "stat").read_text().rpartition(")")[2].split()[:2]
        asked = b"rowlift.kit.sourcechild" in (process / "cmdline").read_bytes()
        return int(parent_id) == parent and (asked or state == "Z")
    return False


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(SourceError) as failed:
        work()
    return failed.value.code


def test_answers_are_those_of_the_driver(kind: str, config: Any, source: Source) -> None:
    here = source_kind(kind)(config)  # type: ignore[call-arg]
    sql = "SELECT id, name, born FROM people ORDER BY id"
    try:
        assert list(source.describe(sql)) == list(here.describe(sql))
        for limit in (None, 0, 2):
            read = source.query(sql, limit=limit).read_all()
            assert read.equals(here.query(sql, limit=limit).read_all(), check_metadata=True)
        assert list(source.catalog()) == list(here.catalog())
        assert list(source.check()) == list(here.check())
        assert abs(source.now() - here.now()) <= 1
        assert isinstance(source, FactSource) == isinstance(here, FactSource)
        if isinstance(source, FactSource) and isinstance(here, FactSource):
            assert source.facts(sql) == here.facts(sql)
        for wrong in ("SELECT nope FROM people", "DELETE FROM people", "SELECT * FROM nobody"):
            with pytest.raises(SourceError) as expected:
                here.describe(wrong)
            with pytest.raises(SourceError) as failed:
                source.describe(wrong)
            assert vars(failed.value) == vars(expected.value)
    finally:
        here.close()


def test_local_time_is_that_of_the_service_and_secrets_stay_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mine: Mine
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("ROWLIFT_KEY", "canary")
    path, kind = tmp_path / "empty.sqlite", source_kind("sqlite")
    path.touch()
    source = in_a_process(kind, kind.Config(path=path))
    read = source.query("SELECT strftime('%H', 0, 'unixepoch', 'localtime') AS id").read_all()
    assert read.column(0).to_pylist() == ["09"]
    (process,) = mine()
    assert b"canary" not in Path(f"/proc/{process}/environ").read_bytes()
    source.close()
    sourceprocess.PROCESSES.end()


def test_a_source_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    kind = source_kind("duckdb")
    source = in_a_process(kind, kind.Config(path=tmp_path / "none.duckdb"))
    with pytest.raises(ConnectError) as failed:
        source.describe("SELECT 1 AS id")
    assert failed.value.code == "FILE_MISSING"
    source.close()


def test_one_call_without_end_is_ended_by_its_limit(
    kind: str, config: Any, temporary: Path, monkeypatch: pytest.MonkeyPatch, mine: Mine
) -> None:
    monkeypatch.setattr(sourceprocess, "GRACE_SECONDS", 0.2)
    hasty = config.model_copy(update={"statement_timeout": 0.1})
    source = in_a_process(source_kind(kind), hasty)
    assert code_of(lambda: source.query(STUCK[kind]).read_all()) == "QUERY_TIMEOUT"
    if kind == "sqlite":  # which looks at all rows for their types
        assert code_of(lambda: source.describe(STUCK[kind])) == "QUERY_TIMEOUT"
    source.close()
    sourceprocess.PROCESSES.end()
    assert not mine()
    assert not list(temporary.iterdir())


def test_one_call_without_end_is_ended_by_whoever_cancels(kind: str, source: Source) -> None:
    over = threading.Event()

    def cancel() -> None:
        while not over.wait(0.1):
            source.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    assert code_of(lambda: source.query(STUCK[kind]).read_all()) == "QUERY_CANCELLED"
    over.set()
    canceller.join()
    assert len(source.query("SELECT id FROM people").read_all()) == 3  # with another process


def test_a_reader_that_is_left_leaves_no_process(source: Source) -> None:
    batches: Any = iter(source.query("SELECT id FROM people"))
    assert isinstance(next(batches), pa.RecordBatch)
    beside = source.query("SELECT id FROM people")
    assert len(source.query("SELECT id FROM people").read_all()) == 3
    del batches, beside


def test_a_process_that_is_killed_fails_its_query_alone(
    kind: str, source: Source, mine: Mine
) -> None:
    source.now()
    (process,) = mine()
    killer = threading.Timer(0.2, os.kill, [process, signal.SIGKILL])
    killer.start()
    with pytest.raises(SourceError) as failed:
        source.query(STUCK[kind]).read_all()
    killer.join()
    assert failed.value.code == "QUERY_FAILED"
    assert "by signal 9" in failed.value.message
    assert len(source.query("SELECT id FROM people").read_all()) == 3


def test_a_process_waits_for_the_next_source_and_holds_no_file(
    kind: str, config: Any, mine: Mine
) -> None:
    first = in_a_process(source_kind(kind), config)
    first.describe("SELECT id FROM people")
    before = mine()
    first.close()
    second = in_a_process(source_kind(kind), config)
    second.describe("SELECT id FROM people")
    assert mine() == before
    second.close()
    (worker,) = processes(before[0])
    held = [str(one.readlink()) for one in Path(f"/proc/{worker}/fd").iterdir()]
    assert not [one for one in held if "people" in one]


@pytest.mark.parametrize("is_stuck", [False, True])
def test_a_process_ends_with_ours_however_sudden(
    kind: str, place: dict[str, str], temporary: Path, is_stuck: bool
) -> None:
    ((name, path),) = place.items()
    command = [sys.executable, "-c", DYING, kind, name, path, STUCK[kind] if is_stuck else ""]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, env=environment) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"asked\n"
        (process,) = processes(parent.pid)
        (worker,) = processes(process)
        if is_stuck:
            until(lambda: _seconds_of(worker) > 3)
        parent.kill()
    until(lambda: _has_ended(process) and _has_ended(worker) and not list(temporary.iterdir()))


def _seconds_of(process: int) -> float:
    """Return how long a process has kept a core busy."""
    ticks = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")


def _has_ended(process: int) -> bool:
    with suppress(OSError):
        return not Path(f"/proc/{process}/cmdline").read_bytes()
    return True


def test_a_source_that_nobody_closes_ends_with_its_last_reference(
    kind: str, config: Any, mine: Mine
) -> None:
    source = in_a_process(source_kind(kind), config)
    source.describe("SELECT id FROM people")
    left = source.query("SELECT id FROM people")
    assert mine()
    del source, left
    gc.collect()
    assert not mine()
