"""Kill at every commit, file write and send, on both state databases, and compare everything."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crashes.story import SCENARIOS, Scenario
from crashes.walk import Places, parts, prepare, record, walk

SHARES = 4  # how many tests walk one long scenario, so that several workers can
LONG = frozenset({"first run", "second run", "plan and apply"})


@pytest.fixture
def places(request: pytest.FixtureRequest, state_kind: str) -> Iterator[Places]:
    memory = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(prefix="walk-", dir=memory if memory.is_dir() else None))
    server = request.getfixturevalue("postgres_server") if state_kind == "postgresql" else None
    made = Places(root, server)
    yield made
    made.close()
    if not request.session.testsfailed:
        shutil.rmtree(root)


def shares() -> Iterator[object]:
    for scenario in SCENARIOS:
        count = SHARES if scenario.name in LONG else 1
        for number in range(count):
            name = f"{scenario.name} {number + 1} of {count}".replace(" ", "-")
            yield pytest.param(scenario, number, count, id=name)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("state_kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize(("scenario", "number", "count"), [*shares()])
def test_nothing_is_lost_wherever_it_is_killed(
    places: Places, scenario: Scenario, number: int, count: int
) -> None:
    template = prepare(places, scenario)
    points = record(places, scenario, template)
    mine = list(parts(points, number, count))
    walked = walk(places, scenario, mine, template)
    assert walked.killed.total() + len(walked.unreached) == len(mine) > 0
