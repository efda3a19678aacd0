"""The round of the web UI's pages: how long the server takes for each, with everybody known."""

import time
from collections.abc import Iterator, Mapping

import urllib3

from bench import project
from bench.lists import EVERYBODY, prepared, served, within
from bench.measure import WrongResult
from bench.stage import Sample, Stage

ENOUGH = 60  # of each page
SHARE = 0.95
WHO = "id:u7"  # a person of the rows, see bench.databases
PAGES = {
    "overview": "/",
    "syncs": "/syncs",
    "a sync": "/syncs/people",
    "its query": "/syncs/people?tab=query",
    "its history": "/syncs/people/history",
    "runs": "/runs",
    "failed runs": "/runs?failed=true",
    "a run": "/runs/1",
    "people": "/people",
    "people who are searched": "/people?q=user77",
    "people whom nobody knows": "/people?q=nobody-at-all",
    "a person": f"/people/{WHO}",
    "a person across all runs": f"/find?q={WHO}",
    "objects": "/objects",
    "segments": "/segments",
    "a segment": f"/segments/{EVERYBODY}",
    "suppressed": "/suppressed",
    "sources": "/sources",
    "a source": "/sources/db",
    "destinations": "/destinations",
    "drafts": "/drafts",
    "studio": "/queries/new",
    "settings": "/settings",
    "members": "/settings/members",
    "audit log": "/settings/audit",
}
_GONE_ON = (200, 303)


def pages(stage: Stage, rows: int) -> Iterator[Sample]:
    """Measure each page, one after the other, while no run is active."""
    database = stage.postgresql
    segment = {"segment": {"name": EVERYBODY, "create": True}}
    people = {"sql": database.people(rows), **project.TO_WORKSPACE, **segment}
    with stage.project() as folder:
        project.write(folder, {**database.source, "reader": database.fast}, {"people": people})
        stage.run("first import", folder, {"added": rows}, only=["people"])
        headers = {**prepared(folder), "accept": "text/html"}
        with served(folder) as url:
            for name, seconds in _asked(url, headers).items():
                yield Sample(name, rows, within(seconds, SHARE))


def _asked(url: str, headers: Mapping[str, str]) -> Mapping[str, list[float]]:
    pool = urllib3.PoolManager(headers=headers, retries=False)
    seconds: dict[str, list[float]] = {name: [] for name in PAGES}
    for _ in range(ENOUGH):
        for name, path in PAGES.items():
            started = time.perf_counter()
            answer = pool.request("GET", f"{url}{path}", redirect=False)
            seconds[name].append(time.perf_counter() - started)
            if answer.status not in _GONE_ON or "login" in answer.headers.get("location", ""):
                raise WrongResult(f"{path} was answered {answer.status}")
    return seconds
