"""What is made over the API: sources, destinations and syncs, with versions and ETags."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from doors.api import Api, serving
from rowlift.core.rights import Role
from rowlift.operations.opening import found
from rowlift.state.definitions import Author

CONSOLE = Author("console", "cli")
ESTIMATE = "/definitions/sync/estimate"
SHOP = {"type": "files", "root": "data"}
HOOK = {"type": "webhook", "url": "https://hooks.example.com/in", "secret": "whsec_" + "A" * 32}


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Api]:
    """A folder without any file of ours."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "people.csv").write_text("user_id,plan\nann,pro\n")
    found(tmp_path, {}, "acme", CONSOLE)
    with serving(tmp_path) as served:
        yield served


def make(client: httpx.Client, kind: str, name: str, document: object) -> httpx.Response:
    return client.post(f"/definitions/{kind}", json={"name": name, "document": document})


def trait(**more: object) -> dict[str, object]:
    return {
        "preset": "import", "kind": "person", "source": "shop", "identify_by": "user_id",
        "sql": "SELECT user_id, plan FROM people", "workspace": "write", "destinations": [], **more,
    }  # fmt: skip


@pytest.mark.door("api")
def test_A5_a_sync_is_made_and_previewed_over_the_api(empty: Api) -> None:
    api = empty
    with api.as_user(Role.EDITOR) as editor:
        assert make(editor, "source", "shop", SHOP).status_code == 201
        made = make(editor, "sync", "people", trait())
        assert (made.status_code, made.headers["etag"]) == (201, '"1"'), made.text
        assert [one["name"] for one in editor.get("/syncs").json()["items"]] == ["people"]
        shown = editor.post("/syncs/people/preview").json()
        assert json.dumps(shown).count("ann") >= 1


@pytest.mark.door("api")
def test_C11_an_edit_names_the_version_it_was_made_from(empty: Api) -> None:
    api = empty
    with api.as_user(Role.EDITOR) as editor:
        make(editor, "source", "shop", SHOP)
        path, new = "/definitions/source/shop", {"document": SHOP | {"root": "./data"}}
        assert editor.put(path, json=new).json()["code"] == "VERSION_MISSING"
        stale = editor.put(path, json=new, headers={"if-match": '"7"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "EDIT_CONFLICT")
        tag = editor.get(path).headers["etag"]
        done = editor.put(path, json=new, headers={"if-match": tag})
        assert (done.status_code, done.headers["etag"]) == (200, '"2"')
        assert editor.put(path, json=new, headers={"if-match": tag}).status_code == 412
        versions = editor.get(f"{path}/versions").json()["items"]
        assert [(one["version"], one["actor"], one["origin"]) for one in versions] == [
            (2, "editor@example.com", "api"),
            (1, "editor@example.com", "api"),
        ]
        diff = editor.get(f"{path}/diff", params={"version": 2}).json()["diff"]
        assert "-root: data" in diff
        assert '+root: "./data"' in diff


def test_S26_a_secret_goes_in_and_never_comes_out(
    empty: Api, tmp_path: Path, everything: Callable[[Path], bytes]
) -> None:
    with empty.as_user(Role.ADMIN) as admin:
        made = make(admin, "destination", "hook", HOOK)
        assert made.status_code == 201, made.text
        path = "/definitions/destination/hook"
        told = [made, admin.get(path), admin.get(f"{path}/versions"), admin.get("/definitions")]
        told += [admin.get("/audit"), admin.get(f"{path}/diff", params={"version": 1})]
        assert {one.status_code for one in told[1:]} == {200}
        assert not [one.text for one in told if HOOK["secret"] in one.text]
    assert HOOK["secret"].encode() not in everything(tmp_path)


def test_S6_S7_neither_our_state_nor_what_lies_outside_can_be_a_source(api: Api) -> None:
    paths = (".rowlift/state.db", "../other.db", "/etc/passwd")
    wanted = [{"type": kind, "path": path} for kind in ("sqlite", "duckdb") for path in paths]
    roots = (".rowlift", "..", "/etc", "data/../../..")
    wanted += [{"type": "files", "root": root} for root in roots]
    with api.as_user(Role.ADMIN) as admin:
        for document in wanted:
            refused = make(admin, "source", "elsewhere", document)
            assert refused.status_code == 422, document
            assert refused.json()["code"] == "FILE_OUTSIDE_ROOT", document


def test_what_files_declare_is_read_only(api: Api) -> None:
    with api.as_user(Role.ADMIN) as admin:
        path = "/definitions/sync/people"
        found = admin.get(path)
        assert found.json()["managed"] == "files"
        refused = admin.put(
            path, json={"document": trait()}, headers={"if-match": found.headers["etag"]}
        )
        assert refused.json()["code"] == "MANAGED_IN_FILES"


def test_a_wrong_document_tells_every_problem(empty: Api) -> None:
    with empty.as_user(Role.EDITOR) as editor:
        wrong = make(editor, "sync", "people", trait(kind="persn", identify_by=7))
        assert wrong.status_code == 422
        assert len(wrong.json()["examples"]) >= 2, wrong.text


@pytest.mark.door("api")
def test_C7_what_a_sync_would_take_is_told_before_it_is_saved(empty: Api) -> None:
    api = empty
    with api.as_user(Role.EDITOR) as editor:
        make(editor, "source", "shop", SHOP)
        hook = {"type": "webhook", "url": "https://hooks.example.com/in"}
        make(editor, "destination", "hook", hook)
        document = trait(destinations=[{"use": "hook"}], schedule={"every": "30m"})
        asked = editor.post(ESTIMATE, json={"name": "people", "document": document})
        told = asked.raise_for_status().json()
        assert (told["rows"], told["duration"]["basis"]) == (1, "unknown")
        assert (told["cadence"]["runs_a_day"], told["cadence"]["skipped"]) == (48, None)
        (there,) = told["traffic"]
        assert (there["messages"], there["calls"], there["calls_a_day"]) == (1, 1, 48)
        assert editor.get("/syncs").json()["items"] == []
        make(editor, "sync", "people", document)
        assert editor.post(ESTIMATE, json={"name": "people"}).json() == told
        wrong = editor.post(ESTIMATE, json={"name": "people", "document": {"sql": "SELECT"}})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "KEY_MISSING")
        nameless = document | {"sql": "SELECT plan FROM people"}
        stopped = editor.post(ESTIMATE, json={"name": "people", "document": nameless})
        assert (stopped.status_code, stopped.json()["code"]) == (409, "PREVIEW_STOPS")
        assert editor.post(ESTIMATE, json={"name": "nobody"}).json()["code"] == "NAME_UNKNOWN"


@pytest.mark.door("api")
def test_B18_the_version_that_is_named_is_the_one_that_comes_back(api: Api) -> None:
    document = {
        "preset": "import", "source": "shop", "sql": "SELECT user_id, plan FROM people",
        "identify_by": "user_id",
    }  # fmt: skip
    at = "/definitions/sync/fresh"
    with api.as_user(Role.EDITOR) as editor:
        editor.post("/definitions/sync", json={"name": "fresh", "document": document})
        edited = {"document": document | {"description": "another"}}
        editor.put(at, json=edited, headers={"if-match": '"1"'}).raise_for_status()
        back = editor.post(f"{at}/restore?version=1", headers={"if-match": '"2"'})
        assert (back.status_code, back.json()["version"]) == (200, 3)
        assert "description" not in back.json()["document"]
