"""Whole journeys on real databases: on call in a browser, and 100,000 rows watched as they go."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

import rowlift
from doors.api import Api, served_by
from e2e.jobs import SECRET, Job, Warehouse, mariadb_warehouse, postgres_warehouse
from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Status
from rowlift.core.rights import Role
from rowlift.operations.callers import CONSOLE
from rowlift.operations.serving import Serving
from rowlift.scheduler.service import ServiceLoop
from rowlift.testing.sink import Sink
from rowlift.web.rights import COOKIE
from rowlift.workers.alerting import AlertWorker
from servers import MariaDbServer, PostgresServer
from ui.conftest import Reader

DATABASES = ["postgres", "mysql"]
PEOPLE = (
    "CREATE TABLE people (id varchar(20), email varchar(60), plan varchar(20))",
    "INSERT INTO people VALUES ('u1', 'ada@example.com', 'pro'), ('u2', 'ben@example.com', 'free')",
)
MANY = {
    "postgres": "SELECT 'u' || i AS id, 'u' || i || '@example.com' AS email, i % 7 AS seats "
    "FROM generate_series(1, {rows}) AS t(i)",
    "mysql": "SELECT concat('u', seq) AS id, concat('u', seq, '@example.com') AS email, "
    "seq % 7 AS seats FROM seq_1_to_{rows}",
}


@pytest.fixture(params=DATABASES)
def warehouse(
    request: pytest.FixtureRequest, postgres_server: PostgresServer, mariadb_server: MariaDbServer
) -> Iterator[Warehouse]:
    with ExitStack() as stack:
        if request.param == "postgres":
            yield stack.enter_context(postgres_warehouse(postgres_server))
        else:
            yield stack.enter_context(mariadb_warehouse(mariadb_server))


@pytest.fixture
def job(warehouse: Warehouse, tmp_path: Path) -> Job:
    made = Job(tmp_path / "shop", warehouse)
    made.destinations["crm"] = _crm(made, reject=["u2"])
    return made


def _crm(job: Job, **keys: object) -> dict[str, object]:
    return {"type": "sandbox", "path": str(job.folder / "crm.jsonl")} | keys


@contextmanager
def at_work(job: Job, browser: Browser) -> Iterator[tuple[Api, Reader, Serving]]:
    """The project served, with its scheduler and alerts, and a browser of its admin."""

    def make() -> rowlift.Project:
        return rowlift.Project(job.folder, env={})

    with ExitStack() as stack:
        project = stack.enter_context(make())
        url = stack.enter_context(served_by(make))
        user = project.access.accounts.admit("eve@example.com", Role.ADMIN, by=CONSOLE)
        session = project.access.sessions.sign_in(user, address="127.0.0.1")
        serving = project.serving()
        loop = ServiceLoop(serving)
        thread = threading.Thread(target=loop.run, name="service")
        thread.start()
        stack.callback(thread.join, 60)
        stack.callback(loop.end)
        stack.enter_context(AlertWorker(serving.alerts))
        context = stack.enter_context(browser.new_context(base_url=url))
        context.add_cookies([{"name": COOKIE, "value": session, "url": url}])
        reader = Reader(context)
        yield Api(url, project), reader, serving
        assert reader.complaints == []


@pytest.mark.door("ui")
def test_B16_B22_on_call_goes_from_the_alert_to_the_cause_and_mends_it(
    job: Job, browser: Browser
) -> None:
    job.sql(*PEOPLE)
    job.imported("SELECT id, email, plan FROM people", "crm")
    job.save()
    with at_work(job, browser) as (api, reader, serving), Sink() as desk:
        _declare(job, api, desk)
        page = reader.see(_alerted(job, desk))
        page.get_by_role("heading", name=re.compile(r"Run \d")).wait_for()
        reasons = page.get_by_role("region", name="Why rows were rejected, table")
        reasons.get_by_role("cell", name="REFUSED").wait_for()
        page.get_by_text("No earlier run of this sync ended without a failure").wait_for()
        reasons.get_by_role("link", name="u2").click()
        page.get_by_role("heading", name="Find a person").wait_for()
        gone = page.get_by_role("region", name="Rows that did not go, table")
        gone.get_by_role("cell", name="u2", exact=True).wait_for()
        job.destinations["crm"] = _crm(job)
        _declare(job, api, desk)
        _until(lambda: "reject" not in serving.home.project.destinations["crm"].config)
        gone.get_by_role("link").first.click()
        _retry(page, api)
        assert "u2" in (job.folder / "crm.jsonl").read_text()


def _declare(job: Job, api: Api, desk: Sink) -> None:
    """Write the project with the channel, and the address at which it is served."""
    hook = {"type": "webhook", "url": desk.url, "secret": SECRET}
    channels = {"desk": hook | {"allow_networks": ["127.0.0.1/32"]}}
    connections = {"sources": job.sources, "destinations": job.destinations, "channels": channels}
    settings = job.settings | {"public_url": api.url}
    job.write("rowlift.yml", {"version": 1, "workspace": settings})
    job.write("connections.yml", {"profiles": {"dev": connections}, "default": "dev"})


def _alerted(job: Job, desk: Sink) -> str:
    """Let a run fail, and return the link that the channel is told."""
    with rowlift.Project(job.folder, env={}) as project:
        project.service.trigger(["people"])
    _until(lambda: bool(desk.requests), 120)
    (told,) = json.loads(desk.requests[0].body)["alerts"]
    assert told["rule"] == "rows_failed"
    return str(told["url"])


def _retry(page: Page, api: Api) -> None:
    page.get_by_role("button", name="Retry rejected").click()
    page.get_by_text("are tried again").wait_for()
    _until(lambda: api.project.run_report(1).outcome is Status.COMPLETED)
    page.reload()
    page.get_by_role("status").get_by_text("Completed").wait_for()


@pytest.mark.door("ui")
def test_C4_a_guard_that_stopped_a_run_is_lifted_for_one_without_a_terminal(
    job: Job, browser: Browser
) -> None:
    crowd = ", ".join(f"('u{at}', 'u{at}@example.com', 'pro')" for at in range(300))
    job.sql(PEOPLE[0], f"INSERT INTO people VALUES {crowd}")
    job.imported("SELECT id, email, plan FROM people", removed="delete")
    job.save()
    with rowlift.Project(job.folder, env={}) as project:
        assert project.run(["people"])[0].outcome is Status.COMPLETED
        job.sql("DELETE FROM people WHERE id <> 'u1'")
        with pytest.raises(GuardStop):
            project.run(["people"])
        stopped = project.runs("people", 1)[0]
    with at_work(job, browser) as (api, reader, _):
        page = reader.see(f"/runs/{stopped.id}")
        told = page.get_by_role("alert").inner_text()
        assert "299 of 300 rows would be removed" in told
        assert "rowlift" not in told
        page.get_by_text("Allow the removals of one run").click()
        page.get_by_role("button", name="Run once with removals allowed").click()
        _until(lambda: (run := api.project.runs("people", 1)[0]).id > stopped.id and run.is_over)
        assert api.project.runs("people", 1)[0].outcome is Status.COMPLETED
        assert [one.id for one in api.project.people(10)] == ["u1"]


@pytest.mark.door("ui")
@pytest.mark.parametrize("warehouse", ["mysql"], indirect=True)
def test_B16_a_run_of_100_000_rows_is_watched_as_it_goes_on(job: Job, browser: Browser) -> None:
    job.imported(MANY[job.warehouse.kind].format(rows=100_000), "crm")
    job.destinations["crm"] = _crm(job, batch_rows=500, in_flight=1)
    job.save()
    with at_work(job, browser) as (api, reader, _):
        page = reader.see("/syncs/people")
        page.get_by_role("button", name="Run now").click()
        _until(lambda: bool(api.project.runs("people", 1)))
        (run,) = api.project.runs("people", 1)
        page.goto(f"/runs/{run.id}")
        seen = _watched(page)
        assert len(seen) > 3, seen
        status = page.get_by_role("status")
        status.get_by_text("100,000 rows read").wait_for(timeout=240_000)
        assert any("rows/s" in one for one in seen), seen
        page.get_by_role("row", name=re.compile("crm")).get_by_text("100,000").first.wait_for()
        page.locator("[hx-trigger]").wait_for(state="detached")
        assert page.get_by_role("button", name="Cancel run").count() == 0


def _watched(page: Page) -> list[str]:
    """What the progress line says, until the run is over; nobody reloads the page."""
    seen: dict[str, None] = {}
    until = time.monotonic() + 240
    while time.monotonic() < until:
        text = page.locator("section[aria-label=Progress] .status").inner_text()
        seen[text] = None
        if "Finished in" in text:
            break
        page.wait_for_timeout(100)
    return [*seen]


def _until(there: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until
        time.sleep(0.1)
