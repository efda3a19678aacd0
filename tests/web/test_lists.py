"""Lists over HTTP: pages of what is asked for, each with a cursor to the next."""

import base64
import json
import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from doors.api import Api
from doors.cli import run_cli
from intake import Asked
from rowlift.core.rights import Role
from web.test_pages import Reader
from world import World

HERE = {"source": "shop", "sql": "SELECT user_id, plan FROM people", "identify_by": "user_id",
        "preset": "import"}  # fmt: skip


def coded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def onward(page: str) -> str:
    """The address of the next page."""
    found = re.search(r'rel="next" href="([^"]+)"', page)
    assert found
    return unescape(found[1])


def pages(client: httpx.Client, path: str, limit: int) -> Iterator[list[dict[str, object]]]:
    cursor = None
    while True:
        asked = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        answer = client.get(path, params=asked).raise_for_status().json()
        yield answer["items"]
        if (cursor := answer["next"]) is None:
            return


@pytest.mark.door("api")
def test_C9_the_list_of_suppressions_comes_in_pages_while_it_changes(api: Api) -> None:
    with api.as_user(Role.EDITOR) as editor:
        for number in range(5):
            editor.post("/suppressions", json={"people": [f"p{number}"], "note": str(number)})
        found = pages(editor, "/suppressions", 2)
        first = next(found)
        editor.post("/suppressions", json={"people": ["late"]})
        editor.post("/suppressions/remove", json={"people": ["p3", "p2"]})
        others = list(found)
        forged = editor.get("/suppressions", params={"cursor": "bjotMQ=="})
    assert [one["note"] for one in first] == ["4", "3"]
    assert [[one["note"] for one in page] for page in others] == [["1", "0"], []]
    assert (forged.status_code, forged.json()["code"]) == (422, "CURSOR_WRONG")


@pytest.mark.door("api")
def test_A24_what_people_did_and_what_was_refused_comes_in_pages_while_more_comes(
    api: Api,
) -> None:
    asked = Asked(api.project)
    asked.send(
        *(
            {"type": "track", "userId": "ann", "event": f"e{at}", "timestamp": f"2026-11-0{day}"}
            for at, day in enumerate((3, 3, 3, 4, 5))
        ),
        *({"type": "identify", "messageId": f"m{at}"} for at in range(3)),
    )
    with api.as_user(Role.EDITOR) as editor:
        found = pages(editor, "/people/ann/events", 2)
        first = next(found)
        asked.send({"type": "track", "userId": "ann", "event": "late"}, {"type": "identify"})
        told = [[one["name"] for one in page] for page in (first, *found)]
        assert told == [["e4", "e3"], ["e2", "e1"], ["e0"]]
        refused = [
            one["message_id"] for page in pages(editor, "/messages/rejects", 3) for one in page
        ]
        assert refused[1:] == ["m2", "m1", "m0"]
        for path, cursor in (("/people/ann/events", "bjox"), ("/requests", "dDoxOm5hbg==")):
            forged = editor.get(path, params={"cursor": cursor})
            assert (forged.status_code, forged.json()["code"]) == (422, "CURSOR_WRONG")


NAMES = ["A", "a", "b \U0001f469", "z" * 128, "ö'\""]


@pytest.mark.door("api")
def test_A17_segments_definitions_and_their_versions_come_in_pages(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with api.as_user(Role.EDITOR) as editor:
        for name in NAMES:
            editor.post("/segments", json={"name": name}).raise_for_status()
        told = list(pages(editor, "/segments", 2))
        assert [[one["name"] for one in page] for page in told] == [
            NAMES[:2],
            NAMES[2:4],
            NAMES[4:],
        ]
        document: dict[str, object] = {"type": "sqlite", "path": "a.db"}
        for name in ("one", "two"):
            editor.post("/definitions/source", json={"name": name, "document": document})
        at = "/definitions/source/one"
        for number in range(1, 5):
            document["path"] = f"{number}.db"
            change = {"json": {"document": document}, "headers": {"if-match": f'"{number}"'}}
            editor.put(at, **change).raise_for_status()
        versions = [[one["version"] for one in page] for page in pages(editor, f"{at}/versions", 2)]
        assert versions == [[5, 4], [3, 2], [1]]
        whole = editor.get("/definitions").json()["items"]
        parts = [one for page in pages(editor, "/definitions", 1) for one in page]
        assert [one["name"] for one in parts] == [one["name"] for one in whole]
        assert {(one["kind"], one["name"]) for one in parts} > {
            ("source", "one"),
            ("sync", "people"),
        }
        first = editor.get("/segments", params={"limit": 1}).json()["next"]
        wrong = [json.dumps(["s", one]) for one in ([], ["\0"], ["\ud800"], [1], "a", None, {})]
        for cursor in (
            *map(coded, (*wrong, '["n",["a"]]', "[" * 1000, "1")),
            "bjox",
            first[1:],
            "é",
        ):
            for path in ("/segments", "/definitions"):
                forged = editor.get(path, params={"cursor": cursor})
                assert (forged.status_code, forged.json()["code"]) == (422, "CURSOR_WRONG"), cursor
    monkeypatch.setattr("rowlift.web.pages.segments.SEGMENTS", 3)
    monkeypatch.setattr("rowlift.web.pages.versions.VERSIONS", 1)
    api.project.definitions.create("sync", "here", HERE)
    api.project.definitions.edit("sync", "here", HERE | {"description": "b"}, expected=1)
    with Reader(api, Role.ADMIN) as reader:
        last = reader.get(f"/segments{onward(reader.get('/segments').text)}").text
        assert [name in last for name in ("A</a>", NAMES[2], NAMES[3])] == [False, False, True]
        assert "First page" in last
        assert "version=2&cursor" in onward(reader.get("/syncs/here/history").text)


@pytest.mark.door("cli")
def test_C9_the_console_goes_on_with_the_list_where_it_ended(shop: World) -> None:
    with shop.project() as project:
        project.suppress(["a", "b", "c"])
    first = run_cli("suppress", "--list", "--limit", "2", cwd=shop.folder)
    last = run_cli("suppress", "--list", "--limit", "2", "--before", "2", cwd=shop.folder)
    assert "Go on with --before 2" in first.stderr
    assert (len(first.stdout.splitlines()), len(last.stdout.splitlines())) == (2, 1)
