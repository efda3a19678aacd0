"""How far a run is: in the state while it goes on, for whoever looks from another process."""

import time
from pathlib import Path

import pytest

import rowlift
from rowlift.core.progress import Headway, Silent
from rowlift.engine.meter import Meter
from rowlift.operations.reports import ProgressReport
from world import World

ROWS = 2_000


class Onlooker(Silent):
    """Stands still in one phase until the state tells of it, and keeps what it tells."""

    def __init__(self, world: World, phase: str) -> None:
        self._world, self._wanted = world, phase
        self._at = ""
        self.seen: list[ProgressReport] = []

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        self._at = phase

    def advance(self, task: str, rows: int) -> None:
        if self._at == self._wanted and not self.seen:
            with rowlift.Project(self._world.folder, env={}) as project:
                self.seen.append(_told(project, self._wanted))


def _told(project: rowlift.Project, phase: str) -> ProgressReport:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        run = project.runs("people", 1)[0]
        for told in (run.progress, *(one.progress for one in run.deliveries)):
            if told and told.phase == phase and told.rows:
                return told
        time.sleep(0.05)
    raise AssertionError(phase)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "acme", ("user_id", "email"))
    made.sync |= {"workspace": "write"}
    made.crm |= {"batch_rows": 500}
    made.rows(*((f"u{at}", f"u{at}@example.com") for at in range(ROWS)))
    made.save()
    return made


@pytest.mark.parametrize("phase", ["query", "write", "send"])
def test_the_state_tells_rows_so_far_while_a_run_goes_on(world: World, phase: str) -> None:
    onlooker = Onlooker(world, phase)
    with rowlift.Project(world.folder, progress=onlooker, env={}) as project:
        (run,) = project.run(["people"])
    (told,) = onlooker.seen
    assert 0 < told.rows <= ROWS
    assert told.total == (None if phase == "query" else ROWS)
    assert (told.seconds_left is None) == (phase == "query")
    assert run.created_at - 1 < told.began_at < (run.finished_at or 0) + 60
    assert run.progress is None
    assert [one.progress for one in run.deliveries] == [None]


def test_a_query_counts_against_what_the_last_run_read(world: World) -> None:
    world.rows(*((f"u{at}", f"u{at}@example.com") for at in range(100)))
    world.run()
    onlooker = Onlooker(world, "query")
    with rowlift.Project(world.folder, progress=onlooker, env={}) as project:
        project.run(["people"])
    assert (onlooker.seen[0].rows, onlooker.seen[0].total) == (100, 100)


def test_a_rate_is_of_the_last_seconds() -> None:
    seconds = 100.0
    meter = Meter(Silent(), {"people relationships": "relationships"}, lambda: seconds)
    assert meter.told() is None
    meter.phase("people relationships", "send", 10_000)
    for rows in (*[1000] * 5, *[10] * 30):
        seconds += 1
        meter.advance("people relationships", rows)
    told = Headway.of(meter.told())
    assert told is not None
    assert (told.part, told.rows, told.total, told.rate) == ("relationships", 5300, 10_000, 10)
    assert told.seconds_left == 470
    meter.phase("people", "record")
    after = Headway.of(meter.told())
    assert after
    assert (after.phase, after.part, after.rows, after.rate) == ("record", "", 0, None)
