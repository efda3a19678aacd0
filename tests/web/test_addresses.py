"""What an address holds in its path may be all that it takes to write there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.datastructures import State

import rowlift
from doors.api import Api, serving
from rowlift.core.rights import Right, Role
from rowlift.kit.masks import without_path
from rowlift.testing.sink import Sink
from rowlift.web.app import api as api_of
from rowlift.web.app import described
from rowlift.web.office import Office
from rowlift.web.pages.app import pages
from world import World

LONG, SHORT, ASKED = "canary-in-the-path", "c4n4ry", "canary-asked"
NAMED = (("destination", "hook"), ("destination", "made"), ("channel", "ops"), ("sync", "people"))


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as one:
        yield one


@pytest.fixture
def served(tmp_path: Path, sink: Sink) -> Iterator[Api]:
    """A destination and a channel of files, and a destination made here, to one server."""
    world = World(tmp_path / "acme")
    local = {"allow_networks": ["127.0.0.0/8"]}
    url = f"{sink.url}/{SHORT}/{LONG}?key={ASKED}"
    world.others = {"hook": {"type": "webhook", "url": url, **local}}
    world.channels = {
        "ops": {"type": "webhook", "url": url, "secret": "whsec_" + "A" * 32, **local}
    }
    world.uses = [{"use": "hook", "match": "user_id"}]
    world.rows(("ann", "pro"))
    world.run()
    with serving(world.folder, ROWLIFT_SHARED_NETWORKS="127.0.0.0/8") as api:
        with api.as_user(Role.EDITOR) as editor:
            document = {"type": "webhook", "url": url, **local}
            made = editor.post(
                "/definitions/destination", json={"name": "made", "document": document}
            )
            assert made.json()["document"]["url"] == url
            edited = {"document": document | {"batch": False}}
            tag = {"if-match": made.headers["etag"]}
            path = "/definitions/destination/made"
            editor.put(path, json=edited, headers=tag).raise_for_status()
            editor.post("/connections/test").raise_for_status()
            editor.post("/connections/destination/named/hook/test").raise_for_status()
        yield api


def shown(api: Api) -> Iterator[str]:
    """Every address that is read, of the API and of the pages, with every name that there is."""
    routes = described(api_of(Office(rowlift.Project)))["paths"]
    paths = [f"{api.url}{path}" for path, methods in routes.items() if "get" in methods]
    ours = pages(State()).openapi()["paths"]
    paths += [f"{api.url}{path}" for path, methods in ours.items() if "get" in methods]
    for path in paths:
        for kind, name in NAMED:
            filled = path.replace("{kind}", kind).replace("{name}", name)
            yield re.sub(r"{\w+}", "1", filled) + "?version=2"


def test_S26_a_viewer_sees_no_path_of_an_address_anywhere(served: Api, sink: Sink) -> None:
    found = 0
    with served.as_user(Role.VIEWER) as viewer:
        for url in dict.fromkeys(shown(served)):
            if "/events" in url and "/destinations/hook/" not in url:
                continue  # it waits for what comes
            with viewer.stream("GET", url) as answer:
                if answer.headers.get("content-type", "").startswith("text/event-stream"):
                    text = next(line for line in answer.iter_lines() if line.startswith("data:"))
                else:
                    text = answer.read().decode()
            assert not [one for one in (LONG, SHORT, ASKED) if one in text], url
            found += f"{sink.url}/***" in text
    assert found >= 10


def test_S26_who_may_edit_sees_the_whole_address(served: Api, sink: Sink) -> None:
    whole = f"{sink.url}/{SHORT}/{LONG}?key={ASKED}"
    with served.as_user(Role.EDITOR) as editor:
        for kind, name in (("destination", "hook"), ("destination", "made"), ("channel", "ops")):
            one = editor.get(f"/definitions/{kind}/{name}").json()
            assert one["document"]["url"] == whole
        told = editor.get("/connections/destination/named/hook").json()
        assert told["definition"]["document"]["url"] == whole
    with served.by_token(Role.EDITOR, [Right.READ]) as program:
        one = program.get("/definitions/destination/made")
        assert one.json()["document"]["url"] == f"{sink.url}/***"
        changed = {"document": one.json()["document"]}
    with served.as_user(Role.EDITOR) as editor:
        tag = {"if-match": one.headers["etag"]}
        refused = editor.put("/definitions/destination/made", json=changed, headers=tag)
        assert (refused.status_code, refused.json()["code"]) == (422, "VALUE_WRONG")
    with served.as_user(Role.ADMIN) as admin:
        assert LONG not in admin.get("/audit").text


ADDRESSES = {
    "https://hooks.example.com/a/b": "https://hooks.example.com/***",
    "https://hooks.example.com": "https://hooks.example.com",
    "https://hooks.example.com/": "https://hooks.example.com/",
    "https://hooks.example.com:8443?key=1": "https://hooks.example.com:8443/***",
    "HTTPS://ann:pw@hooks.example.com#x": "HTTPS://hooks.example.com/***",
    "https://[::1]:80/a": "https://[::1]:80/***",
    "see https://a.b/c and ftp://d/e": "see https://a.b/*** and ftp://d/***",
    "${URL}": "${URL}",
    "data/people.csv": "data/people.csv",
}


@pytest.mark.parametrize(("text", "masked"), ADDRESSES.items())
def test_S26_of_an_address_scheme_and_host_are_left(text: str, masked: str) -> None:
    assert without_path(text) == masked
