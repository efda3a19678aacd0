"""A run as it goes on, over server-sent events."""

from collections.abc import Iterator
from itertools import islice, takewhile

import httpx

from doors.api import Api
from rowlift.core.rights import Role
from rowlift.web.app import api as application
from rowlift.web.office import Office
from rowlift.web.server import HttpServer
from world import World


def events(answer: httpx.Response) -> Iterator[dict[str, str]]:
    """Yield each event as its fields; a comment is an event without any."""
    lines = answer.iter_lines()
    while block := list(takewhile(bool, lines)):
        named = (line.partition(": ") for line in block if not line.startswith(":"))
        yield {name: value for name, _, value in named}


def test_who_comes_back_hears_only_what_is_new(api: Api, shop: World) -> None:
    run = shop.run()
    path = f"/runs/{run.id}/events"
    with api.as_user(Role.VIEWER) as viewer:
        with viewer.stream("GET", path) as answer:
            (told,) = events(answer)
            assert answer.headers["x-accel-buffering"] == "no"
        assert told["event"] == "run"
        over = viewer.get(path, headers={"last-event-id": told["id"]})
        assert (over.status_code, over.text) == (204, "")
        with viewer.stream("GET", path, headers={"last-event-id": "older"}) as answer:
            assert list(events(answer)) == [told]


def test_a_run_that_says_nothing_keeps_its_connection(shop: World) -> None:
    app = application(Office(shop.project))
    app.state.heartbeat_seconds = 0.05
    with HttpServer(app) as server, shop.project() as project:
        home = project.service.home
        run = home.store.runs.open(home.workspace_id, home.syncs["people"], "{}")
        api = Api(server.url, project)
        path = f"/runs/{run.id}/events"
        with api.as_user(Role.VIEWER) as viewer, viewer.stream("GET", path) as answer:
            first, second, third = islice(events(answer), 3)
    assert first["event"] == "run"
    assert second == third == {}
