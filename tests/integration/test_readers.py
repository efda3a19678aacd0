"""Fifty readers, a run and an export at once: nobody is told that the database is locked."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import httpx
import pytest

from doors.api import Api, serving
from rowlift.core.rights import RIGHTS, Right, Role
from rowlift.operations.callers import CONSOLE, Caller
from world import World

READERS = 50
PEOPLE = 2000
SECONDS = 240
PAGES = ("/people?limit=50", "/runs?limit=50", "/syncs", "/audit?limit=50", "/segments/all/members")


@pytest.fixture
def world(tmp_path: Path, state_url: str) -> World:
    made = World(tmp_path / "acme", ("user_id", "plan"))
    made.env = {"ROWLIFT_STATE_URL": state_url}
    made.sync |= {"workspace": "write", "segment": {"name": "all", "create": True}}
    made.crm["batch_rows"] = 200
    made.rows(*((f"k{n}", "old") for n in range(PEOPLE)))
    made.run()
    return made


@pytest.fixture
def api(world: World) -> Iterator[Api]:
    with serving(world.folder, **world.env) as served:
        yield served


def reader(api: Api, number: int, *also: Right) -> httpx.Client:
    """A program that speaks for an admin of its own, so that no pace but its own holds it up."""
    access = api.project.access
    user = access.accounts.admit(f"reader{number}@example.com", Role.ADMIN, by=CONSOLE)
    by = Caller(user.email, "", RIGHTS[Role.ADMIN], user.id)
    rights = [Right.READ, Right.VALUES, Right.ADMIN, *also]
    made = access.tokens.create("reader", rights, days=1, by=by)
    return api.anybody(headers={"authorization": f"Bearer {made.secret}"})


@pytest.mark.door("api")
@pytest.mark.timeout(300)
def test_fifty_readers_a_run_and_an_export_keep_nobody_out(world: World, api: Api) -> None:
    clients = [reader(api, number) for number in range(READERS)]
    exporter = reader(api, READERS, Right.EXPORT)
    answers: Counter[tuple[str, int]] = Counter()
    over = threading.Event()

    def read(number: int) -> None:
        with clients[number] as client:
            for at in range(number, number + 10_000):
                page = PAGES[at % len(PAGES)]
                answers[page, client.get(page).status_code] += 1
                if over.is_set():
                    return

    def export() -> None:
        with exporter as client:
            while not over.is_set():
                assert client.get("/people.jsonl").text.count("\n") == PEOPLE

    def run() -> None:
        world.rows(*((f"k{n}", "new") for n in range(PEOPLE)))
        assert world.run().counts["changed"] == PEOPLE

    together(run, [export, *(lambda n=n: read(n) for n in range(READERS))], over)
    assert answers.keys() == {(page, 200) for page in PAGES}
    assert len(world.applied()) == PEOPLE


def together(
    work: Callable[[], None], beside: Sequence[Callable[[], None]], over: threading.Event
) -> None:
    """Do something beside what goes on until it is over; raise what either raised."""
    with ThreadPoolExecutor(1 + len(beside)) as pool:
        others = [pool.submit(one) for one in beside]
        done = pool.submit(work)
        wait([done], SECONDS)
        over.set()
        wait(others, SECONDS)
    for one in (done, *others):
        one.result(timeout=0)
