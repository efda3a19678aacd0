"""A test message to a destination: one made-up person, seen whole, and nothing else is touched."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from doors.api import serving
from doors.cli import run_cli
from rowlift.core.errors import Busy, GuardStop
from rowlift.core.nouns import Verdict
from rowlift.core.rights import Role
from rowlift.state.tables import budgets
from rowlift.testing.misbehaviour import Misbehaviour, answer
from rowlift.testing.sink import Sink
from rowlift.testing.track import TrackServer
from world import World

TOKEN = "canary-of-the-path"
HEADER = "canary-of-a-header"
LOCAL = {"allow_networks": ["127.0.0.0/8"]}
WHO = "rowlift-test"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as one:
        yield one


@pytest.fixture
def world(tmp_path: Path, sink: Sink) -> World:
    made = World(tmp_path / "acme", ("user_id", "email"))
    made.sync["workspace"] = "write"
    hook = {"type": "webhook", "url": f"{sink.url}/{TOKEN}", "headers": {"X-Proof": HEADER}}
    made.others = {
        "hook": hook | LOCAL,
        "guarded": hook,
        "lake": {"type": "files", "path": str(made.folder / "lake")},
        "segment": {"type": "segment", "write_key": "k", "endpoint": f"{sink.url}/v1"} | LOCAL,
    }
    made.uses = [{"use": "hook", "match": "user_id"}]
    made.rows(("ann", "ann@example.com"))
    return made


@pytest.mark.door("cli")
def test_A23_a_test_message_is_seen_with_its_reply_and_without_secrets(
    world: World, sink: Sink
) -> None:
    world.save()
    done = run_cli("debug", "message", "hook", "-o", "json", cwd=world.folder)
    assert done.code == 0
    sent = json.loads(done.stdout)["message"]
    (received,) = sink.seen
    body = json.loads(received.body)
    assert (body["type"], body["data"]["sync"]) == ("records.test", "rowlift_test")
    (record,) = received.records
    assert (record["key"], record["attributes"]) == ({"user_id": WHO}, {"rowlift_test": True})
    (request,) = sent["requests"]
    assert (sent["verdict"], request["status"]) == ("delivered", 200)
    assert json.loads(request["body"]) == body
    assert request["url"] == f"{sink.url}/***"
    assert request["headers"]["X-Proof"] == "***"
    told = run_cli("debug", "message", "hook", cwd=world.folder)
    assert "✓ hook: It took the test message." in told.stdout
    for canary in (TOKEN, HEADER):
        assert canary not in done.stdout + told.stdout
    sink.always(Misbehaviour(answer(401, b"who are you")))
    refused = run_cli("debug", "message", "hook", cwd=world.folder)
    assert (refused.code, "[CREDENTIALS_REFUSED]" in refused.stdout) == (1, True)


def test_no_image_and_no_ledger_knows_of_a_test_message(world: World, sink: Sink) -> None:
    world.run()
    with world.project() as project:
        before = project.state("people")
        sent = project.connections.send_message("hook")
        assert project.state("people") == before
        assert [one.sync for one in project.watch.requests("hook")] == ["people", "rowlift_test"]
        assert [one.id for one in project.people()] == ["ann"]
        assert len(project.runs()) == 1
    assert sent.verdict is Verdict.DELIVERED
    world.run()
    assert len(sink.requests) == 2


def test_the_address_guard_holds_for_a_test_message(world: World, sink: Sink) -> None:
    with world.project() as project:
        sent = project.connections.send_message("guarded")
    assert (sent.verdict, sent.code, sent.requests) == (Verdict.REFUSED, "ADDRESS_REFUSED", [])
    assert sink.seen == []


def test_who_is_suppressed_is_not_even_in_a_test_message(world: World, sink: Sink) -> None:
    with world.project() as project:
        project.suppress([f"id:{WHO}"], wait=False)
        with pytest.raises(GuardStop, match="not even a test"):
            project.connections.send_message("hook")
        project.unsuppress([f"id:{WHO}"], wait=False)
        assert project.connections.send_message("hook").verdict is Verdict.DELIVERED
    assert len(sink.seen) == 1


def test_where_it_would_not_be_harmless_no_test_message_is_sent(world: World, sink: Sink) -> None:
    with world.project() as project:
        for ask in (project.connections.message, project.connections.send_message):
            with pytest.raises(GuardStop) as refused:
                ask("segment")
            assert refused.value.code == "TEST_NOT_HARMLESS"
    assert sink.seen == []


def test_files_get_it_in_a_folder_of_its_own(world: World) -> None:
    with world.project() as project:
        sent = project.connections.send_message("lake")
    assert (sent.verdict, sent.requests) == (Verdict.DELIVERED, [])
    (folder,) = (world.folder / "lake").iterdir()
    (file,) = folder.iterdir()
    assert (folder.name, file.read_text().strip()) == ("rowlift_test", sent.message.record)


@pytest.mark.parametrize("more", [{}, {"type": "customerio_segment", "segment_id": 7}])
def test_customerio_makes_nobody_of_it(world: World, more: dict[str, object]) -> None:
    with TrackServer() as server:
        server.workspace.segments[7] = {("id", "ann")}
        login = {"type": "customerio", "site_id": "site", "api_key": "key"} | more | LOCAL
        world.others["mail"] = login | {"endpoint": server.url}
        with world.project() as project:
            sent = project.connections.send_message("mail")
        assert (sent.verdict, sent.code) == (Verdict.DELIVERED, "")
        assert server.workspace.people == []
        assert server.workspace.segments[7] == {("id", "ann")}


def test_a_test_waits_for_its_turn_but_not_for_ever(world: World) -> None:
    with world.project() as project:
        project.connections.send_message("hook")
        store = project.connections.home.store
        with store.database.read() as connection:
            account = connection.scalar(sa.select(budgets.c.account))
        store.deliveries.reserve(account, 60, 1)
        with pytest.raises(Busy, match="booked"):
            project.connections.send_message("hook")


@pytest.mark.door("api")
def test_A23_a_test_message_is_sent_over_the_api_by_who_may_edit(world: World, sink: Sink) -> None:
    world.save()
    with serving(world.folder) as api:
        with api.as_user(Role.VIEWER) as viewer:
            told = viewer.get("/destinations/hook/message").json()
            assert told["key"] == WHO
            assert viewer.post("/destinations/hook/message").status_code == 403
        with api.as_user(Role.EDITOR) as editor:
            sent = editor.post("/destinations/hook/message").raise_for_status().json()
            refused = editor.post("/destinations/segment/message")
            assert (refused.status_code, refused.json()["code"]) == (409, "TEST_NOT_HARMLESS")
            world.others["hook"]["url"] = "http://127.0.0.1:1/"
            world.save()
            away = editor.post("/destinations/hook/message").json()
            assert editor.post("/destinations/nowhere/message").status_code == 404
        noted = [(one.action, one.subject) for one in api.project.access.audit.page()]
    assert sent["verdict"] == "delivered"
    assert (away["code"], away["reason"]) == ("UNREACHABLE", "The destination cannot be reached.")
    assert "refused" not in json.dumps(away["requests"])
    assert ("destination.message", "hook") in noted
    assert len(sink.seen) == 1
