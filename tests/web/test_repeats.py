"""Requests that come again under the same key."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial

import pytest

from doors.api import Api
from rowlift import db
from rowlift.core.errors import Busy, StateError
from rowlift.core.rights import Right, Role
from rowlift.operations.callers import CONSOLE
from world import World

KEY = {"idempotency-key": "the first of May"}
RUNS = "/syncs/people/runs"
WAITS_NOT = {"is_waiting": False}


@pytest.fixture
def served(api: Api, shop: World) -> Iterator[Api]:
    """A project with a service that is there and begins nothing."""
    with shop.project() as project:
        project.serving().start()
        yield api


def begin(api: Api) -> None:
    """Let what waits begin, so that nothing stands for another request any more."""
    store = api.project.service.home.store
    for waiting in store.triggers.queued(api.project.service.home.workspace_id):
        store.triggers.give_up(waiting.id, "", "")


def test_the_same_request_gets_the_same_answer_and_begins_nothing_more(served: Api) -> None:
    with served.as_user(Role.EDITOR) as editor:
        first = editor.post(RUNS, json={}, headers=KEY)
        begin(served)
        again = editor.post(RUNS, json={}, headers=KEY)
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.json() == again.json()
        replayed = [one.headers["idempotency-replayed"] for one in (first, again)]
        assert replayed == ["false", "true"]
        assert len(editor.get("/requests").json()["items"]) == 1
        other = editor.post(RUNS, json={}, headers={"idempotency-key": "another"}).json()
        assert other["id"] != first.json()["id"]
        newest = editor.get("/requests", params={"limit": 1}).json()
        rest = editor.get("/requests", params={"limit": 1, "cursor": newest["next"]}).json()
        assert [one["items"][0] for one in (newest, rest)] == [other, {**first.json(), **WAITS_NOT}]


def test_a_body_of_which_nothing_is_needed_may_be_left_out(served: Api) -> None:
    with served.as_user(Role.EDITOR) as editor:
        empty = {"content-type": "application/json"}
        answers = [editor.post(RUNS), editor.post(RUNS, content=b"", headers=empty)]
        answers.append(editor.post("/syncs/people/reset"))
    assert [one.status_code for one in answers] == [202, 202, 204]


def test_another_request_under_the_same_key_is_refused(served: Api) -> None:
    with served.as_user(Role.EDITOR) as editor:
        editor.post(RUNS, json={}, headers=KEY)
        wrong = editor.post(RUNS, json={"allow_removals": True}, headers=KEY)
        assert (wrong.status_code, wrong.json()["code"]) == (422, "KEY_REUSED")


def test_keys_are_everybodys_own(served: Api) -> None:
    with served.as_user(Role.EDITOR) as editor, served.as_user(Role.ADMIN) as admin:
        first = editor.post(RUNS, json={}, headers=KEY).json()
        begin(served)
        assert admin.post(RUNS, json={}, headers=KEY).json()["id"] != first["id"]


def test_what_was_refused_may_be_asked_for_again(api: Api, shop: World) -> None:
    with api.by_token(Role.EDITOR, [Right.RUN]) as program:
        assert program.post(RUNS, json={}, headers=KEY).json()["code"] == "SERVICE_DOWN"
        with shop.project() as project:
            project.serving().start()
            assert program.post(RUNS, json={}, headers=KEY).status_code == 202


def test_what_the_state_kept_from_beginning_may_be_asked_for_again(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_BUSY_SECONDS", 0.1)
    path = shop.folder / ".rowlift" / "state.db"
    with shop.project() as project, ExitStack() as opened:
        once = partial(project.repeats.once, CONSOLE, "key", "request")
        other = opened.enter_context(closing(sqlite3.connect(path, isolation_level=None)))

        def cut_off() -> str:
            other.execute("BEGIN IMMEDIATE")
            raise StateError("STATE_LOCKED", "It gave way.")

        with pytest.raises(StateError, match="gave way"):
            once(cut_off)
        other.execute("ROLLBACK")
        assert [once(lambda: "done").text, once(lambda: "twice").text] == ["done"] * 2


def test_a_request_that_comes_while_it_is_under_way_waits_outside(api: Api) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert go_on.wait(30)
        return "done"

    once = api.project.repeats.once
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(once, CONSOLE, "key", "request", slow)
        assert begun.wait(30)
        try:
            with pytest.raises(Busy, match="REQUEST_UNDER_WAY"):
                once(CONSOLE, "key", "request", str)
        finally:
            go_on.set()
        assert first.result(30).text == "done"
    assert once(CONSOLE, "key", "request", str).text == "done"
    assert once(replace(CONSOLE, name="ann"), "key", "request", str).text == ""


def test_what_was_cut_off_is_never_done_again(api: Api) -> None:
    def killed() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        api.project.repeats.once(CONSOLE, "key", "request", killed)
    with pytest.raises(Busy, match="REQUEST_UNDER_WAY"):
        api.project.repeats.once(CONSOLE, "key", "request", str)
