"""A state that many use at once, whose disk is full, or that nobody may write to."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

import rowlift
from doors.api import Api, serving
from faults.disks import disk, filled, needs_root, remount
from rowlift import db
from rowlift.core.errors import Busy
from rowlift.core.nouns import Status
from rowlift.core.rights import Right, Role
from rowlift.operations.reports import RunReport
from rowlift.testing.clock import QuickClock
from served import SECONDS, Gate, served, together, until
from world import World

HTML = {"accept": "text/html"}
LISTS = ("/overview", "/syncs", "/runs", "/people", "/audit")


@pytest.mark.door("api")
def test_F62_fifty_readers_a_run_and_an_export_meet_no_locked_state(api: Api, shop: World) -> None:
    rows = [(f"u{at}", f"u{at}@example.com", "pro") for at in range(2_000)]
    shop.crm = {"batch_rows": 500}
    shop.rows(*rows)
    shop.run()
    shop.rows(*((who, address, "free") for who, address, _ in rows))
    with api.as_user(Role.ADMIN) as admin:

        def run() -> None:
            assert shop.run().counts["changed"] == len(rows)

        def export() -> int:
            answer = admin.get("/people.csv")
            assert answer.text.count("@example.com") == len(rows)
            return answer.status_code

        def read() -> int:
            answers = [admin.get(path) for path in LISTS]
            return max(one.status_code for one in answers)

        answers = together([run, export, *[read] * 50])
    assert answers == [None] + [200] * 51


@pytest.mark.door("api")
def test_F19_of_fifty_who_ask_at_once_by_all_doors_no_two_runs_overlap(
    api: Api, shop: World
) -> None:
    with served(rowlift.Project(shop.folder, env={})), api.as_user(Role.ADMIN) as admin:
        until(api.project.service.status)

        def by_api() -> int:
            return admin.post("/syncs/people/runs", json={}).status_code

        def by_page() -> int:
            token = {"csrf": admin.headers["x-csrf-token"]}
            url = f"{api.url}/syncs/people/run"
            return admin.post(url, data=token, headers=HTML).status_code

        def by_python() -> int:
            with rowlift.Project(shop.folder, env={}) as project:
                try:
                    project.run(["people"])
                except Busy:
                    return 409
            return 200

        answers = together([by_api, by_page] * 20 + [by_python] * 10)
        until(lambda: not any(one.is_waiting for one in api.project.service.requests()))
        until(lambda: all(one.is_over for one in api.project.runs(limit=100)))
        runs = api.project.runs(limit=100)
    assert set(answers[:40]) == {202, 303}
    assert set(answers[40:]) <= {200, 409}
    assert {one.status for one in runs} <= {Status.SOME_ROWS_FAILED, Status.SKIPPED}
    assert overlaps(one for one in runs if one.status is not Status.SKIPPED) == []
    assert answers.count(409) == sum(one.status is Status.SKIPPED for one in runs)
    assert len(shop.sent()) == 1, "whatever began later found nothing to send"


@pytest.mark.door("api")
def test_F62_what_meets_the_lock_of_another_process_is_repeated_and_both_take_effect(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_BUSY_SECONDS", 0.2)  # whoever waits so long gives up
    gate = Gate(once=True)
    with (
        serving(shop.folder) as api,
        api.as_user(Role.ADMIN) as admin,
        served(rowlift.Project(shop.folder, env={}, progress=gate)),
    ):

        def ask() -> tuple[int, str]:
            answer = admin.post("/syncs/people/runs", json={})
            return answer.status_code, answer.json().get("code", "")

        until(lambda: ask() == (202, ""))
        with ExitStack() as locked:
            with gate.holding():
                locked.enter_context(writing(shop.folder / ".rowlift" / "state.db"))
                assert ask() == (503, "STATE_LOCKED")
            until(lambda: any("import 1 broke off and goes on" in one for one in gate.said))
        until(lambda: ask() == (202, ""))
        until(lambda: [one.status for one in api.project.runs()] == [Status.SOME_ROWS_FAILED] * 2)
        assert api.project.runs()[-1].counts["read"] == 2
    with closing(sqlite3.connect(shop.folder / ".rowlift" / "state.db")) as state:
        assert state.execute("SELECT number FROM others").fetchall() == [(1,)]
        ((carried,),) = state.execute("SELECT generation FROM runs WHERE id = 1")
        assert carried > 1, "the run gave way, and went on"
    assert shop.applied().keys() == {"ann"}


@contextmanager
def writing(state: Path) -> Iterator[None]:
    """Let another process hold the lock of a database, and write to it when the block ends."""
    script = (
        "import sqlite3, sys; state = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "state.execute('BEGIN IMMEDIATE'); state.execute('CREATE TABLE others (number)');"
        "state.execute('INSERT INTO others VALUES (1)'); print('locked', flush=True); input();"
        "state.execute('COMMIT')"
    )
    words = [sys.executable, "-c", script, str(state)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, text=True, **pipes) as process:
        assert process.stdout
        assert process.stdout.readline() == "locked\n"
        yield
        process.communicate("\n", timeout=SECONDS)
    assert process.returncode == 0


def overlaps(runs: Iterable[RunReport]) -> list[tuple[int, int]]:
    """The runs that began before the one before them had ended."""
    in_order = sorted(runs, key=lambda one: one.created_at)
    return [(a.id, b.id) for a, b in pairwise(in_order) if b.created_at < (a.finished_at or 0)]


@needs_root
@pytest.mark.door("api")
def test_F20_F22_on_a_full_disk_everything_can_be_read(
    shop: World, tmp_path: Path, clock: QuickClock
) -> None:
    with disk(tmp_path / "small", "30m") as small:
        shop.env["ROWLIFT_DATA_DIR"] = str(small / "data")
        shop.run()
        with (
            serving(shop.folder, clock, **shop.env) as api,
            api.as_user(Role.ADMIN) as admin,
            api.by_token(Role.EDITOR, [Right.READ]) as program,
            filled(small),
        ):
            clock.sleep(3600)  # long enough for a session to be noted again
            lists = [admin.get(path) for path in LISTS]
            pages = [admin.get(f"{api.url}{path}", headers=HTML) for path in ("/", "/runs/1")]
            answers = [*lists, *pages, program.get("/runs")]
            assert [one.status_code for one in answers] == [200] * len(answers)
            refused = admin.put("/syncs/people/paused", json={"paused": True})
            assert (refused.status_code, refused.json()["code"]) == (503, "STATE_FULL")
            assert admin.get("/syncs/people").json()["paused"] is False
        assert shop.run().status is Status.SOME_ROWS_FAILED


@needs_root
@pytest.mark.door("api")
def test_F22_a_disk_that_is_read_only_at_the_start_is_told(shop: World, tmp_path: Path) -> None:
    with disk(tmp_path / "small", "30m") as small:
        shop.env["ROWLIFT_DATA_DIR"] = str(small / "data")
        shop.run()
        remount(small, "ro")
        with serving(shop.folder, **shop.env) as api, api.anybody() as client:
            told = client.get(f"{api.url}/readyz")
            page = client.get(f"{api.url}/", headers=HTML)
        remount(small, "rw")
        assert (told.status_code, page.status_code) == (503, 503)
        assert told.json()["code"].startswith("STATE_")
        assert told.json()["code"] in page.text
        assert shop.run().status is Status.SOME_ROWS_FAILED


def test_helpers_tell_runs_that_overlap() -> None:
    def run(number: int, begin: float, end: float) -> RunReport:
        return RunReport(number, "people", Status.COMPLETED, "over", {}, begin, end, 0)

    assert overlaps([run(2, 5, 6), run(1, 1, 4)]) == []
    assert overlaps([run(1, 1, 4), run(2, 3, 6)]) == [(1, 2)]
