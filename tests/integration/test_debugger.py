"""The last requests to a destination: kept, bounded, masked, live, erased."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from doors.api import serving
from doors.cli import run_cli
from rowlift.core.errors import StateError
from rowlift.core.rights import Role
from rowlift.db import Database
from rowlift.kit.addresses import target
from rowlift.kit.exchange import Passed, Reply
from rowlift.kit.masks import Cover
from rowlift.operations.callers import CONSOLE
from rowlift.operations.recording import Recorder
from rowlift.state.exchanges import KEPT, KEPT_SECONDS, ExchangeStore
from rowlift.testing.misbehaviour import Misbehaviour, answer
from rowlift.testing.sink import Sink
from world import World

KEY = "canary-of-the-write-key"
TOKEN = "canary-of-the-path"
HEADER = "canary-of-a-header"
EVENTS = "/destinations/segment/requests/events"
CANARIES = (KEY, TOKEN, HEADER)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as one:
        yield one


@pytest.fixture
def world(tmp_path: Path, sink: Sink) -> World:
    made = World(tmp_path / "acme", ("user_id", "email"))
    made.sync["workspace"] = "write"
    local = {"allow_networks": ["127.0.0.0/8"]}
    made.others = {
        "segment": {
            "type": "segment", "write_key": "${KEY}", "endpoint": f"{sink.url}/v1", **local
        },
        "hook": {
            "type": "webhook", "url": f"{sink.url}/${{TOKEN}}", "batch_rows": 1,
            "headers": {"X-Proof": "${HEADER}"}, **local,
        },
    }  # fmt: skip
    made.uses = [{"use": name, "match": "user_id"} for name in made.others]
    made.env = {"KEY": KEY, "TOKEN": TOKEN, "HEADER": HEADER}
    made.rows(("ann", "ann@example.com"))
    return made


def echo() -> Misbehaviour:
    return Misbehaviour(answer(400, json.dumps({"code": "no", "seen": CANARIES}).encode()))


@pytest.mark.door("api")
def test_A23_requests_and_replies_are_seen_without_secrets(world: World, sink: Sink) -> None:
    world.run()
    sink.always(echo())
    world.rows(("ann", "anna@example.com"))
    world.run()
    with serving(world.folder, **world.env) as api:
        with api.as_user(Role.EDITOR) as editor:
            seen = {name: requests(editor, name) for name in world.others}
        with api.as_user(Role.VIEWER) as viewer:
            masked = {name: requests(viewer, name) for name in world.others}
            assert viewer.get("/destinations/nowhere/requests").status_code == 404
    assert [one["status"] for one in seen["segment"]] == [200, 400]
    first, second = seen["segment"]
    assert first["url"] == f"{sink.url}/v1/batch"
    assert first["headers"]["Authorization"] == "***"
    assert json.loads(first["body"])["batch"][0]["traits"] == {"email": "ann@example.com"}
    assert first["reply"] == '{"success":true}'
    assert json.loads(second["reply"])["seen"] == ["***", TOKEN, HEADER]
    assert seen["hook"][0]["url"] == f"{sink.url}/***"
    assert seen["hook"][0]["headers"]["X-Proof"] == "***"
    assert "example.com" not in json.dumps(masked)
    assert json.loads(masked["segment"][0]["body"].replace("***", "0"))["batch"][0]["traits"]
    own = {"segment": (KEY,), "hook": (TOKEN, HEADER)}
    for name, canaries in own.items():
        assert not any(canary in json.dumps(seen[name]) for canary in canaries)


def requests(client: httpx.Client, name: str) -> list:
    return client.get(f"/destinations/{name}/requests").raise_for_status().json()["items"]


@pytest.mark.door("api")
def test_A23_a_new_request_comes_while_one_looks(world: World) -> None:
    world.run()
    with serving(world.folder, **world.env) as api, api.as_user(Role.VIEWER) as viewer:
        told = followed(viewer)
        first = next(told)
        world.rows(("ann", "ann@example.com"), ("bob", "bob@example.com"))
        world.run()
        second = next(told)
        told.close()
        with viewer.stream("GET", EVENTS, headers={"last-event-id": str(second["id"])}) as again:
            world.rows(("ann", "ann@example.com"), ("bob", "b@example.com"))
            world.run()
            third = next(events_of(again))
    assert (first["status"], second["status"]) == (200, 200)
    assert third["id"] > second["id"]
    assert second["id"] > first["id"]
    assert "example.com" not in json.dumps(second)


@pytest.mark.door("api")
def test_S15_who_is_let_in_no_more_hears_no_more(world: World) -> None:
    world.run()
    with serving(world.folder, **world.env) as api:
        api.as_user(Role.ADMIN).close()
        with api.as_user(Role.EDITOR) as editor, editor.stream("GET", EVENTS) as stream:
            told = events_of(stream)
            next(told)
            accounts = api.project.access.accounts
            (user,) = (one for one in accounts.users() if one.role is Role.EDITOR)
            accounts.change_user(user.id, role=Role.VIEWER, by=CONSOLE)
            world.rows(("ann", "ann@example.com"), ("bob", "bob@example.com"))
            world.run()
            assert list(told) == []


def followed(viewer: httpx.Client) -> Iterator[dict]:
    with viewer.stream("GET", EVENTS) as stream:
        yield from events_of(stream)


def events_of(stream: httpx.Response) -> Iterator[dict]:
    for line in stream.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


@pytest.mark.door("cli")
def test_A23_a_console_shows_what_was_sent_and_answered(world: World, sink: Sink) -> None:
    sink.always(echo())
    world.run()
    shown = run_cli("debug", "requests", "hook", cwd=world.folder, env=world.env)
    assert shown.code == 0
    assert f"POST {sink.url}/***  400" in shown.stdout
    assert '"user_id":***' in shown.stdout
    assert "ann@example.com" not in shown.stdout
    whole = run_cli("debug", "requests", "hook", "--values", cwd=world.folder, env=world.env)
    assert "ann@example.com" in whole.stdout
    assert not any(canary in whole.stdout + shown.stdout for canary in (TOKEN, HEADER))
    words = ("debug", "requests", "hook", "-o", "json")
    (one,) = run_cli(*words, cwd=world.folder, env=world.env).json["requests"]
    assert (one["status"], one["sync"], one["method"]) == (400, "people", "POST")
    assert run_cli(*words, "--follow", cwd=world.folder, env=world.env).code == 2
    assert run_cli("debug", "requests", "x", cwd=world.folder, env=world.env).code == 2
    assert run_cli("debug", "request", cwd=world.folder, env=world.env).code == 2
    assert run_cli("debug", "--follow", cwd=world.folder, env=world.env).code == 2


def test_no_reply_is_seen_too(world: World, sink: Sink) -> None:
    world.run()
    sink.close()
    world.rows(("ann", "anna@example.com"))
    world.run()
    with world.project() as project:
        last = project.watch.requests("segment")[-1]
    assert last.status is None
    assert "cannot be reached" in last.reply


def test_of_many_requests_few_are_kept_and_those_that_failed(world: World, sink: Sink) -> None:
    world.rows(*((f"u{number}", f"u{number}@example.com") for number in range(300)))
    refused = [None] * 40 + [Misbehaviour(answer(422, b'{"code":"bad"}'))]
    sink.misbehave(*refused)
    world.others.pop("segment")
    world.uses.pop(0)
    world.run()
    assert len(sink.requests) >= 299
    with world.project() as project:
        kept = project.watch.requests("hook")
    assert len(kept) <= KEPT
    assert 422 in {one.status for one in kept}
    assert [one.at for one in kept] == sorted(one.at for one in kept)


def test_what_is_kept_is_a_ring(world: World) -> None:
    with world.project() as project:
        store, uid = project.watch.home.store.exchanges, project.watch.home.destinations["hook"]
        world.run()
        (one,) = store.after(uid, 0, 0.0)
        store.keep(1, uid, [one] * (KEPT + 7))
        assert len(store.after(uid, 0, 0.0)) == KEPT
        assert project.watch.requests("hook", 5)[-1].id == store.after(uid, 0, 0.0)[-1].id
        assert store.after(uid, 0, one.at + 1) == []


def test_old_ones_are_forgotten(world: World) -> None:
    world.run()
    with world.project() as project:
        home = project.watch.home
        uid = home.destinations["hook"]
        (one,) = home.store.exchanges.after(uid, 0, 0.0)
        old = replace(one, at=one.at - KEPT_SECONDS - 60)
        home.store.exchanges.keep(home.workspace_id, uid, [old])
        assert [left.id for left in project.watch.requests("hook")] == [one.id]
        project.prune()
        assert [left.id for left in home.store.exchanges.after(uid, 0, 0.0)] == [one.id]


def test_nothing_is_kept_where_it_is_switched_off(world: World) -> None:
    world.env["ROWLIFT_KEEP_REQUESTS"] = "no"
    world.run()
    with world.project() as project:
        assert project.watch.requests("segment") == []


def test_an_erasure_forgets_them_all(world: World) -> None:
    world.run()
    with world.project() as project:
        assert project.watch.requests("segment")
        project.erase("ann")
        assert project.watch.requests("segment") == []
    files = [path for path in world.folder.joinpath(".rowlift").rglob("*") if path.is_file()]
    assert not any(b"ann@example.com" in path.read_bytes() for path in files)


def test_what_cannot_be_kept_fails_nothing(tmp_path: Path) -> None:
    without_tables = ExchangeStore(Database(f"sqlite:///{tmp_path / 'state.db'}"))
    request = Passed("GET", target("https://example.com"), {}, b"", Reply(200, {}), 0.0, 0.0)
    with pytest.raises(StateError):
        without_tables.after("uid", 0, 0.0)
    with Recorder(without_tables, 1, "uid", "sync") as recorder:
        recorder.hiding(Cover(()))(request)
