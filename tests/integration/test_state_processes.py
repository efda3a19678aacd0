"""Several processes on one state: one runs, the others wait, take over or are told so."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import doors.cli
from crashes.child import KILLED, failure, in_child
from doors.cli import CliResult, Running, begin_cli, run_cli, standing_cli
from faults.samples import cases
from rowlift.core.errors import Busy, Fenced
from rowlift.core.nouns import Status
from rowlift.state.store import Store
from rowlift.state.tables import definitions, runs, workspaces
from world import World

LEASE = 2.0  # seconds, for tests that let one end


class Processes:
    """A world that is run by real processes."""

    def __init__(self, world: World, state_url: str) -> None:
        self.world = world
        self.url = state_url
        world.env["ROWLIFT_STATE_URL"] = state_url
        world.sync["workspace"] = "write"
        world.crm |= {"in_flight": 1}
        world.rows(*((f"k{n}", "x") for n in range(9)))
        world.save()

    def start(self, *words: str) -> Running:
        return begin_cli(*words, cwd=self.world.folder, env=self.world.env)

    def run(self, *words: str, **env: str) -> CliResult:
        return quiet(run_cli(*words, cwd=self.world.folder, env=self.world.env | env))

    def standing(self, point: str, **env: str) -> AbstractContextManager[Running]:
        """A run that stopped itself, alive, at a named point."""
        given = self.world.env | env
        return standing_cli("run", "people", point=point, cwd=self.world.folder, env=given)

    def kill_at(self, point: str) -> None:
        code = in_child("run", self.world.folder, self.url, spec=f"{point}:kill")
        assert code == KILLED, failure(self.world.folder, code)

    def rows(self, query: sa.Select[Any]) -> list[Any]:
        engine = sa.create_engine(self.url)
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(query)]
        finally:
            engine.dispose()

    def everything(self) -> dict[str, list[Any]]:
        """What counts of the state: no ends of leases, no files that nobody published."""
        engine = sa.create_engine(self.url)
        found = sa.MetaData()
        found.reflect(engine)
        tables = {
            name: sa.select(*(column for column in table.c if column.name != "lease_until"))
            for name, table in found.tables.items()
        }
        engine.dispose()
        published = found.tables["files"].c.state != "writing"
        tables["files"] = tables["files"].where(published)
        return {name: sorted(map(repr, self.rows(query))) for name, query in tables.items()}

    def wait_for_lapse(self) -> None:
        """Wait until no active run or delivery has a lease left."""
        deadline = time.monotonic() + 30
        query = sa.text(
            "SELECT lease_until FROM runs WHERE active = 1"
            " UNION ALL SELECT lease_until FROM deliveries WHERE active = 1"
        )
        while any(until >= time.time() for (until,) in self.rows(query)):
            assert time.monotonic() < deadline, "the lease does not end"
            time.sleep(0.05)


def ended(running: Running, *sent: signal.Signals) -> CliResult:
    return quiet(doors.cli.ended(running, *sent))


def quiet(done: CliResult) -> CliResult:
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def processes(tmp_path: Path, state_url: str) -> Processes:
    return Processes(World(tmp_path / "acme"), state_url)


def test_F18_of_two_runs_at_once_one_is_skipped_and_nothing_is_sent_twice(
    processes: Processes,
) -> None:
    with processes.standing("file.before_rename:1") as first:
        second = processes.run("run", "people")
        assert second.code == 5
        assert "BUSY" in second.stderr
        assert ended(first, signal.SIGCONT).code == 0
    statuses = processes.rows(sa.select(runs.c.status).order_by(runs.c.id))
    assert statuses == [("Completed",), ("Skipped",)]
    assert len(processes.world.sent()) == len(processes.world.applied()) == 9


def test_F18_many_runs_started_together_are_one_run_or_follow_each_other(
    processes: Processes,
) -> None:
    started = [processes.start("run", "people") for _ in range(4)]
    codes = [ended(one).code for one in started]
    assert set(codes) <= {0, 5}
    assert 0 in codes
    ids = [message["message_id"] for message in processes.world.sent()]
    assert len(ids) == len(set(ids)) == 9
    assert not processes.rows(sa.select(runs.c.id).where(runs.c.active == 1))


def test_a_first_start_by_many_processes_makes_one_state(processes: Processes) -> None:
    started = [processes.start("ls") for _ in range(5)]
    assert [ended(one).code for one in started] == [0] * 5
    assert len(processes.rows(sa.select(workspaces.c.id))) == 1
    kinds = processes.rows(sa.select(definitions.c.kind, definitions.c.name))
    assert sorted(kinds) == [
        ("destination", "crm"), ("source", "shop"), ("sync", "people"), ("workspace", "acme"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("point", "phase"),
    [
        ("run.open.after_commit:1", "read"),
        ("run.read.after_commit:1", "validate"),
        ("run.merge.after_commit:1", "apply"),
        ("apply.slice.after_commit:1", "apply"),
    ],
)
def test_a_killed_run_is_taken_over_at_once_and_goes_on_in_its_phase(
    processes: Processes, point: str, phase: str
) -> None:
    processes.kill_at(point)
    active = sa.select(runs.c.phase, runs.c.lease_until).where(runs.c.active == 1)
    ((left, until),) = processes.rows(active)
    assert left == phase
    again = processes.run("run", "people", "-o", "json")
    assert time.time() < until, "it waited for the lease to end"
    assert again.code == 0
    (report,) = again.json["runs"]
    assert (report["id"], report["resumed"], report["status"]) == (1, True, "Completed")
    assert len(processes.world.applied()) == len(processes.world.sent()) == 9


@pytest.mark.parametrize(
    ("point", "repeated"),
    [
        ("delivery.claim.after_commit:1", 0),
        ("delivery.plan.after_commit:1", 0),
        ("delivery.start.after_commit:1", 0),
        ("deliver.after_send:2", 3),
        ("delivery.batch.after_commit:2", 0),
        ("delivery.record.before_commit:1", 0),
    ],
)
def test_a_killed_delivery_is_taken_over_at_once_and_goes_on(
    processes: Processes, point: str, repeated: int
) -> None:
    processes.kill_at(point)
    assert processes.run("run", "people").code == 0
    sent = [message["message_id"] for message in processes.world.sent()]
    assert len(sent) - len(set(sent)) == repeated
    assert len(processes.world.applied()) == len(set(sent)) == 9


@pytest.mark.parametrize(
    "point",
    cases(
        "apply.slice.before_commit:1",  # inside a transaction
        "deliver.before_send:2",
        "delivery.record.before_commit:1",  # inside a transaction
        "file.before_rename:1",
        "run.merge.after_commit:1",
        "delivery.start.after_commit:1",
        "delivery.batch.before_commit:2",  # inside a transaction
        few=3,
    ),
)
@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_F17_a_process_that_stood_still_past_its_lease_writes_nothing_more(
    processes: Processes, point: str
) -> None:
    lease = {"ROWLIFT_LEASE_SECONDS": str(LEASE)}
    with processes.standing(point, **lease) as stopped:
        processes.wait_for_lapse()
        second = processes.run("run", "people", **lease)
        assert second.code == 0, second
        before = processes.everything()
        late = ended(stopped, signal.SIGCONT)
        assert late.code in {0, 1, 5}, late  # 0: its import was over, the delivery went on there
    assert processes.everything() == before
    sent = {message["message_id"] for message in processes.world.sent()}
    assert len(sent) == len(processes.world.applied()) == 9
    assert processes.run("run", "people").code == 0
    assert {message["message_id"] for message in processes.world.sent()} == sent


def test_F17_a_process_that_stands_still_within_its_lease_keeps_its_run(
    processes: Processes,
) -> None:
    with processes.standing("deliver.before_send:1") as first:
        assert processes.run("run", "people").code == 0  # an import of its own, nothing to send
        assert len(processes.world.sent()) == 0
        assert ended(first, signal.SIGCONT).code == 0
    assert len(processes.world.applied()) == len(processes.world.sent()) == 9


@pytest.fixture
def store(tmp_path: Path, state_url: str) -> Iterator[Store]:
    opened = Store.open(tmp_path / "data", state_url)
    yield opened
    opened.close()


def test_F19_of_twenty_triggers_at_once_one_runs(store: Store) -> None:
    def open_one(_: int) -> str:
        try:
            store.runs.open(1, "uid", "{}")
        except Busy as busy:
            return busy.code
        return "opened"

    with ThreadPoolExecutor(20) as pool:
        results = sorted(pool.map(open_one, range(20)))
    assert results == ["BUSY"] * 19 + ["opened"]
    statuses = [one.status for one in store.runs.latest(1, limit=30)]
    assert statuses.count(Status.RUNNING) == 1
    assert statuses.count(Status.SKIPPED) == 19


def test_of_twenty_that_take_over_one_does(store: Store) -> None:
    left = store.runs.open(1, "uid", "{}")
    store.runs.lease(left).__enter__().__exit__(None, None, None)  # its owner is gone
    with ThreadPoolExecutor(20) as pool:
        taken = [one for one in pool.map(lambda _: store.runs.take_over(1), range(20)) if one]
    assert [(one.id, one.generation) for one in taken] == [(left.id, 2)]


def test_one_who_was_taken_over_is_fenced(store: Store) -> None:
    left = store.runs.open(1, "uid", "{}")
    old = store.runs.lease(left)
    with old:
        pass
    taken = store.runs.take_over(1)
    assert taken is not None
    with store.runs.lease(taken):
        with pytest.raises(Fenced), store.database.transaction("test") as connection:
            old.hold(connection)
        with store.database.transaction("test") as connection:
            store.runs.lease(taken).hold(connection)


def test_a_run_that_somebody_carries_is_not_taken_over(store: Store) -> None:
    run = store.runs.open(1, "uid", "{}")
    assert store.runs.take_over(1) is None, "it was opened and not begun"
    with store.runs.lease(run):
        assert store.runs.take_over(1) is None
    assert store.runs.take_over(1) is not None
