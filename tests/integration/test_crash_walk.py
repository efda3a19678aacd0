"""Kill at every commit, file write and send, on both state databases, and compare everything."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import rowlift
from crashes.static import changes, transactions
from crashes.story import SCENARIOS, Scenario
from crashes.walk import Places, parts, passed, prepare, record, walk

SOURCES = Path(rowlift.__file__).parent
SHARES = {"first run": 2, "second run": 2}  # so that several workers can walk one scenario
SMALLER_STORY = frozenset({"first run"})  # left to SQLite: the second run passes the same commits

# What changes something outside the process without a crash point of its own, and why.
WITHOUT_POINT = {
    ("commit", "db.py", "read"): "it only reads",
    ("commit", "kit/pgsession.py", "_begun"): "it only reads",
    ("commit", "kit/pgwarehouse.py", "_start_copy"): "it only reads",
    ("send", "engine/delivery.py", "_send"): "the points stand in engine/deliver.py",
    ("send", "kit/exchange.py", "exchange"): "the points stand around it in kit/http.py",
    ("send", "kit/exchange.py", "send"): "the points stand around it in kit/http.py",
}

# Transactions that the walk does not pass, and why that is enough.
NOT_WALKED = {
    "budget": "a moment is booked or not; nothing else hangs on it",
    "collect.expire": "its files are a month old; killed in test_state_collect.py",
    "collect.orphans": "its files are a minute old; killed in test_state_collect.py",
    "heartbeat": "once in ten seconds; it renews a lease or does not",
}


@pytest.fixture
def places(request: pytest.FixtureRequest, state_kind: str) -> Iterator[Places]:
    memory = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(prefix="walk-", dir=memory if memory.is_dir() else None))
    server = request.getfixturevalue("postgres_server") if state_kind == "postgresql" else None
    made = Places(root, server)
    failures = request.session.testsfailed
    yield made
    made.close()
    if request.session.testsfailed == failures:
        shutil.rmtree(root)


def shares() -> Iterator[object]:
    for kind in ("sqlite", "postgresql"):
        for scenario in SCENARIOS:
            if kind == "postgresql" and scenario.name in SMALLER_STORY:
                continue
            count = SHARES.get(scenario.name, 1)
            for number in range(count):
                name = f"{kind}-{scenario.name}-{number + 1}of{count}".replace(" ", "-")
                yield pytest.param(kind, scenario, number, count, id=name)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("state_kind", "scenario", "number", "count"), [*shares()])
def test_nothing_is_lost_wherever_it_is_killed(
    places: Places, scenario: Scenario, number: int, count: int
) -> None:
    template = prepare(places, scenario)
    mine = [*parts(record(places, scenario, template), number, count)]
    walked = walk(places, scenario, mine, template)
    assert walked.killed.total() + len(walked.unreached) == len(mine) > 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("state_kind", ["sqlite"])
def test_the_walk_passes_every_transaction_of_the_program(places: Places) -> None:
    names = {
        name
        for scenario in SCENARIOS
        for name in passed(places, scenario, prepare(places, scenario))
    }
    commits = transactions(SOURCES)
    walked = {name for name in commits if f"{name}.after_commit" in names}
    assert commits.keys() - walked == NOT_WALKED.keys()


def test_no_commit_rename_or_send_is_without_a_point() -> None:
    found = [one for one in changes(SOURCES) if not one.path.startswith("testing/")]
    bare = {(one.kind, one.path, one.function) for one in found if not one.has_point}
    assert bare == WITHOUT_POINT.keys()
    pointed = {(one.kind, one.path, one.function) for one in found if one.has_point}
    assert pointed == {
        ("commit", "db.py", "transaction"),
        ("rename", "kit/durable.py", "publish"),
        ("rename", "engine/merge.py", "write_first"),
    }
