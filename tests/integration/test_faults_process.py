"""Processes that are killed, stopped, asked to end, starved or cut off from their state database.

Each fault is healed, two clean runs follow, and everything is compared (faults/proof.py).
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from doors.cli import CliResult
from faults.arena import Arena, changed, ended, some_rows
from faults.proof import prove
from faults.samples import cases
from faults.shops import file_shop
from faults.snapshot import everything
from rowlift.core.errors import unexpected
from rowlift.core.nouns import Status
from rowlift.testing.proxy import Proxy
from servers import PostgresDatabase

LEASE = "1.5"  # seconds
LOADED = 420  # MB of addresses that the program needs before it begins
WAITED_FOR_EVER, LIBC_ABORTED = 137, 127
ENOUGH_TIME = ("timeout", "--signal=KILL", "40")


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    """A project after its first run, whose shop changed since."""
    return begun(tmp_path / "acme", None)


@pytest.fixture
def served(tmp_path: Path, postgres_database: PostgresDatabase) -> Arena:
    """The same with its state on PostgreSQL."""
    return begun(tmp_path / "acme", postgres_database.url)


def begun(folder: Path, state_url: str | None) -> Arena:
    folder.mkdir()
    made = Arena(folder, file_shop(folder / "shop.db"), state_url)
    made.write()
    made.replace(some_rows())
    made.run()
    made.replace(changed(made.rows, random.Random(13)))
    return made


def test_F13_a_process_killed_at_random_instants_loses_nothing(arena: Arena) -> None:
    chance = random.Random(13)
    began = time.monotonic()
    arena.cli("run", "people")
    seconds = time.monotonic() - began
    killed = 0
    for _ in range(12):
        if killed == 2:
            break
        arena.replace(changed(arena.rows, chance))
        started = arena.start("run", "people")
        time.sleep(chance.uniform(0.1, 0.8) * seconds)  # the instant is what is random here
        started.kill()
        if ended(started).code == -signal.SIGKILL:
            killed += 1
        else:  # the machine was busier while the run was timed
            seconds /= 2
        assert prove(arena, deaths=killed)[:2] == (0, 0)
    assert killed == 2


@pytest.mark.parametrize("point", cases("deliver.after_send:2", "deliver.before_send:1"))
def test_F15_a_sigterm_in_a_batch_ends_in_order_and_in_time(served: Arena, point: str) -> None:
    with served.standing(point) as running:
        began = time.monotonic()
        done = ended(running, signal.SIGTERM, signal.SIGCONT)
        assert time.monotonic() - began < 15
    assert done.code == 130, done
    assert "INTERRUPTED" in done.stderr
    prove(served, deaths=0)  # what was in flight was brought to an end: nothing is sent twice


@pytest.mark.parametrize("point", cases("deliver.after_send:1", "run.merge.before_commit:1"))
def test_F16_a_second_signal_ends_at_once_and_loses_nothing(arena: Arena, point: str) -> None:
    with arena.standing(point) as running:
        began = time.monotonic()
        done = ended(running, signal.SIGTERM, signal.SIGINT, signal.SIGCONT)
        assert time.monotonic() - began < 10
    assert done.code == 130, done
    prove(arena, deaths=1)


@pytest.mark.parametrize("share", cases(0.8, 0.3, 0.5, 0.65, 0.9))
def test_F17_a_process_stopped_anywhere_past_its_lease_writes_nothing_stale(
    served: Arena, share: float
) -> None:
    lease = {"ROWLIFT_LEASE_SECONDS": LEASE}
    began = time.monotonic()
    served.cli("run", "people", **lease)
    seconds = time.monotonic() - began
    served.replace(changed(served.rows, random.Random(17)))
    first = served.start("run", "people", **lease)
    time.sleep(share * seconds)  # wherever it is then
    os.kill(first.pid, signal.SIGSTOP)
    time.sleep(float(LEASE) + 0.2)
    second = served.cli("run", "people", **lease)
    assert second.code in {0, 1}, second
    before = everything(served.state_url or "")
    late = ended(first, signal.SIGCONT)
    assert late.code in {0, 1, 5}, late
    if late.code == 5:
        assert everything(served.state_url or "") == before
    prove(served, deaths=1)


@pytest.mark.parametrize("size", cases(540, 150, 300, 450, 480, 600, 750))
def test_F27_a_run_without_enough_memory_says_so_and_loses_nothing(arena: Arena, size: int) -> None:
    done = arena.cli("run", "people", before=(*ENOUGH_TIME, "prlimit", f"--as={size << 20}", "--"))
    told = done.code == 1 and "[OUT_OF_MEMORY]" in done.stderr
    died = done.code < 0 or done.code == LIBC_ABORTED  # a library may end the process
    assert done.code != WAITED_FOR_EVER
    assert told or size < LOADED or died, done
    prove(arena, deaths=1)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "OUT_OF_MEMORY"),
        (ImportError("x.so: failed to map segment from shared object"), "OUT_OF_MEMORY"),
        (OSError(12, "Cannot allocate memory"), "OUT_OF_MEMORY"),
        (RuntimeError("can't start new thread"), "OUT_OF_MEMORY"),
        (RuntimeError("Unknown error: Failed to launch worker thread: …"), "OUT_OF_MEMORY"),
        (RuntimeError("something else"), "INTERNAL"),
    ],
)
def test_F27_what_too_little_memory_raises_is_told_from_a_fault_of_ours(
    error: Exception, code: str
) -> None:
    assert unexpected(error).code == code


def test_F27_arrow_is_handed_over_without_threads_that_may_not_start(tmp_path: Path) -> None:
    script = f"""
import os, pathlib, pyarrow as pa
from rowlift.engine.duck import Duck
with Duck(pathlib.Path({str(tmp_path)!r}), threads=1) as duck:
    before = len(os.listdir("/proc/self/task"))
    table = pa.table({{"a": [1, 2]}})
    duck.register("kept", table)
    duck.register("stream", table.to_reader())
    print(duck.count("kept"), duck.count("kept"), duck.count("stream"))
    print(len(os.listdir("/proc/self/task")) - before)
"""
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["2", "2", "2", "0"], done.stderr


@pytest.mark.parametrize("most", cases(12, 8, 10, 63))
def test_F28_a_run_without_file_handles_says_so_and_loses_nothing(arena: Arena, most: int) -> None:
    done = arena.cli("run", "people", before=("prlimit", f"--nofile={most}", "--"))
    assert done.code == 1, done
    assert "[FILE_LIMIT]" in done.stderr
    prove(arena, deaths=1)


@pytest.mark.parametrize("kind", cases("sqlite", "postgresql"))
def test_F62_readers_never_meet_a_locked_state_while_a_run_writes(
    request: pytest.FixtureRequest, kind: str
) -> None:
    arena: Arena = request.getfixturevalue("arena" if kind == "sqlite" else "served")
    with arena.standing("apply.slice.before_commit:1") as running:  # it holds the write lock
        readers = [arena.start(word) for word in ("ls", "runs")]
        assert [ended(one).code for one in readers] == [0, 0]
        assert ended(running, signal.SIGCONT).code == 1
    prove(arena, deaths=0)


@pytest.mark.parametrize(
    "point",
    cases(
        "apply.slice.before_commit:1",  # in a transaction
        "run.open.after_commit:1",
        "run.merge.before_commit:1",  # in a transaction
        "deliver.after_send:1",
    ),
)
def test_F66_a_state_server_that_drops_every_session_loses_nothing(
    served: Arena, postgres_database: PostgresDatabase, point: str
) -> None:
    with served.standing(point) as running:
        assert postgres_database.server.stop_backends(postgres_database.name)
        done = ended(running, signal.SIGCONT)
    assert done.code == 1, done
    if point.endswith("before_commit:1"):
        check_told(done)
    prove(served, deaths=1)
    check_gone_on(served)


def test_F66_a_connection_to_the_state_that_is_reset_loses_nothing(
    tmp_path: Path, postgres_database: PostgresDatabase
) -> None:
    server = postgres_database.server
    with Proxy(server.host, server.port) as proxy:
        url = make_url(postgres_database.url).set(port=proxy.port)
        arena = begun(tmp_path / "acme", url.render_as_string(hide_password=False))
        with arena.standing("run.merge.before_commit:1") as running:
            proxy.reset()
            done = ended(running, signal.SIGCONT)
        assert done.code == 1, done
        check_told(done)
        prove(arena, deaths=1)
        check_gone_on(arena)


def check_told(done: CliResult) -> None:
    assert "[STATE_UNREACHABLE]" in done.stderr
    assert "then goes on where it stopped" in done.stderr


def check_gone_on(arena: Arena) -> None:
    """Assert that the run that was cut off did not fail, but went on."""
    with arena.project() as project:
        assert {one.status for one in project.runs()} == {Status.SOME_ROWS_FAILED}


def test_F66_a_state_server_that_is_away_in_mid_delivery_loses_nothing(
    served: Arena, postgres_database: PostgresDatabase
) -> None:
    name, server = postgres_database.name, postgres_database.server
    with served.standing("deliver.after_send:1") as running, server.connect() as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.stop_backends(name)
        done = ended(running, signal.SIGCONT)
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert done.code == 1, done
    assert "[STATE_UNREACHABLE]" in done.stderr
    prove(served, deaths=1)
