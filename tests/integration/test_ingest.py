"""The ingest API: what is taken in, what becomes of it, and what is refused."""

import gzip
import json
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from doors.cli import run_cli
from intake import Asked, Inlet, written
from rowlift.core.errors import StateError
from rowlift.core.nouns import Status
from rowlift.core.specs import RetentionSpec
from rowlift.state.intake import DEDUPE_SECONDS, Accepted
from rowlift.state.prune import prune_intake
from rowlift.state.store import Store
from rowlift.web.ingest.calls import BATCH_BYTES
from rowlift.workspace.prune import prune_workspace
from rowlift.workspace.tables import people
from rowlift.workspace.workspace import Workspace

ANN = {"type": "identify", "userId": "ann", "traits": {"plan": "free"}}


@pytest.fixture
def inlet(tmp_path: Path) -> Inlet:
    return Inlet(tmp_path / "acme")


@pytest.fixture
def asked(inlet: Inlet) -> Iterator[Asked]:
    with inlet.opened() as asked:
        yield asked


@pytest.fixture
def everywhere(tmp_path: Path, state_url: str) -> Iterator[Asked]:
    """The same on each kind of state database."""
    with Inlet(tmp_path / "acme", state_url).opened() as asked:
        yield asked


@pytest.mark.door("python")
def test_A10_who_was_identified_is_known_to_a_preview(inlet: Inlet) -> None:
    inlet.rows(("ann", "ann@x.org", "pro"), ("bob", "bob@x.org", "pro"))
    with inlet.opened() as asked:
        project = asked.project
        asked.send(ANN)
        marks = [str(row.mark) for row in project.preview("people").rows]
    assert marks == ["known", "unknown"]


@pytest.mark.door("python")
@pytest.mark.parametrize("removed", ["clear", "delete"])
def test_C12_a_row_that_leaves_takes_nothing_that_a_message_wrote_last(
    inlet: Inlet, removed: str
) -> None:
    inlet.columns = ("user_id", "plan", "town")
    inlet.sync |= {"removed": removed, "sql": "SELECT user_id, plan, town FROM people"}
    inlet.rows(("ann", "pro", "Rome"), ("bob", "pro", "Bonn"))
    inlet.run()
    with inlet.opened() as asked:
        asked.send(ANN)
    inlet.rows(("bob", "pro", "Bonn"))
    inlet.run()
    with inlet.project() as project:
        kept = [(one.name, one.value, one.sync) for one in project.person("ann").attributes]
    assert kept == [("plan", "free", "ingest")]


def test_messages_of_all_types_make_people_accounts_and_events(everywhere: Asked) -> None:
    everywhere.send(
        {"type": "page", "anonymousId": "a1", "category": "Docs", "name": "Start"},
        {"type": "identify", "anonymousId": "a1", "traits": {"seen": 1, "plan": "free"}},
        {"type": "identify", "userId": "ann", "anonymousId": "a1", "traits": {"plan": "pro"}},
        {"type": "group", "userId": "ann", "groupId": "acme", "traits": {"name": "Acme"}},
        {"type": "screen", "userId": "ann", "name": "Home"},
        {"type": "track", "anonymousId": "a1", "event": "Bought", "properties": {"price": 1.50}},
        {"type": "alias", "userId": "ann", "previousId": "a2"},
    )
    ann = everywhere.project.person("ann")
    assert ann.anonymous_ids == ("a1", "a2")
    assert everywhere.attributes("ann") == {"plan": "pro", "seen": 1}
    assert {one.sync for one in ann.attributes} == {"ingest"}
    assert {one.run for one in ann.attributes} == {None}
    assert [one.object_id for one in ann.relationships] == ["acme"]
    (account,) = everywhere.project.objects()
    assert [(one.name, one.value) for one in account.attributes] == [("name", "Acme")]
    events = {
        (one.kind, one.name, one.properties) for one in everywhere.project.ingest.events("ann")
    }
    assert events == {
        ("page", "Docs Start", "{}"),
        ("screen", "Home", "{}"),
        ("track", "Bought", '{"price":1.5}'),
    }
    assert everywhere.refused() == []


def test_a_stranger_who_identifies_is_merged_into_whom_they_turn_out_to_be(
    everywhere: Asked,
) -> None:
    everywhere.send(ANN)
    everywhere.send(
        {"type": "identify", "anonymousId": "a1", "traits": {"plan": "none", "seen": 1}},
        {"type": "track", "anonymousId": "a1", "event": "Looked"},
    )
    assert len(everywhere.project.people()) == 2
    everywhere.send({"type": "identify", "userId": "ann", "anonymousId": "a1"})
    assert [one.id for one in everywhere.project.people()] == ["ann"]
    assert everywhere.attributes("ann") == {"plan": "free", "seen": 1}
    (merge,) = everywhere.project.merges()
    assert [one.name for one in everywhere.project.ingest.events("ann")] == ["Looked"]
    everywhere.project.undo_merge(merge.number)
    assert [one.name for one in everywhere.project.ingest.events("anonymous_id:a1")] == ["Looked"]


def test_an_anonymous_id_stays_with_the_first_who_is_known_by_it(asked: Asked) -> None:
    asked.send({**ANN, "anonymousId": "shared"})
    asked.send(
        {"type": "identify", "userId": "bob", "anonymousId": "shared", "traits": {"plan": "pro"}},
        {"type": "track", "anonymousId": "shared", "event": "Looked"},
        {"type": "alias", "userId": "bob", "previousId": "shared"},
        {"type": "alias", "userId": "bob", "previousId": "ann"},
    )
    assert asked.project.person("shared").id == "ann"
    assert asked.attributes("bob") == {"plan": "pro"}
    assert [one.name for one in asked.project.ingest.events("ann")] == ["Looked"]
    assert asked.refused() == [("ALIAS_KNOWN", "bob"), ("ALIAS_KNOWN", "bob")]


def test_who_is_known_by_an_address_alone_gets_an_id_that_is_new_or_none(asked: Asked) -> None:
    asked.send(ANN, {"type": "identify", "anonymousId": "a1", "traits": {"email": "bob@x.org"}})
    asked.send({**ANN, "anonymousId": "a1", "traits": {"plan": "pro"}})
    assert asked.attributes("ann") == {"plan": "pro"}
    asked.send({"type": "identify", "userId": "bob", "anonymousId": "a1"})
    bob = asked.project.person("a1")
    assert (bob.id, bob.email) == ("bob", "bob@x.org")
    assert asked.refused() == []


def test_several_devices_of_one_person_are_all_theirs(asked: Asked) -> None:
    asked.send(*({**ANN, "anonymousId": f"a{number}"} for number in range(5)))
    assert asked.project.person("ann").anonymous_ids == ("a0", "a1", "a2", "a3", "a4")
    assert len(asked.project.people()) == 1


def test_a_group_call_makes_nobody_of_an_anonymous_id(asked: Asked) -> None:
    asked.send({"type": "group", "anonymousId": "row-1", "groupId": "g", "traits": {"size": 3}})
    assert asked.project.people() == []
    assert asked.project.object("1", "g").related == 0


def test_later_traits_win_null_removes_and_digits_are_exact(asked: Asked) -> None:
    asked.send(ANN, {"type": "identify", "userId": "ann", "traits": {"plan": "pro", "old": 1}})
    body = b'{"userId":"ann","traits":{"old":null,"big":12345678901234567890,"f":1.10,"e":""}}'
    asked.post("identify", body)
    asked.send()
    assert asked.attributes("ann") == {
        "plan": "pro", "big": "12345678901234567890", "f": 1.1, "e": "",
    }  # fmt: skip


def test_an_identify_that_repeats_what_stands_there_writes_nothing(
    asked: Asked, inlet: Inlet
) -> None:
    who = {**ANN, "anonymousId": "a1", "traits": {"plan": "free", "email": "ann@x.org", "n": 1.50}}
    stranger = {"type": "identify", "anonymousId": "z", "traits": {"seen": True}}
    asked.send(who, stranger)
    before = revisions(asked)
    for _ in range(2):
        assert asked.send(who, stranger).messages == 2
    assert revisions(asked) == before
    asked.send({**who, "traits": {**who["traits"], "plan": "pro"}}, {**stranger, "userId": "zoe"})
    assert revisions(asked)["ann"] > before["ann"]
    assert asked.attributes("zoe") == {"seen": True}
    inlet.rows(("ann", "ann@x.org", "pro"))
    asked.project.run(["people"])
    before = revisions(asked)
    asked.send({**ANN, "traits": {"plan": "pro"}})  # it stands there, but another one told it
    assert revisions(asked)["ann"] > before["ann"]
    assert asked.project.person("ann").attributes[-1].sync == "ingest"


def revisions(asked: Asked) -> dict[str | None, int]:
    query = sa.select(people.c.id, people.c.revision)
    with asked.project.ingest.home.store.database.read() as connection:
        return {row.id: row.revision for row in connection.execute(query)}


def test_a_repeated_message_id_is_written_once(everywhere: Asked) -> None:
    bought = {"type": "track", "userId": "ann", "event": "Bought", "messageId": "m1"}
    assert everywhere.send(bought, bought).repeated == 1
    assert everywhere.send({**bought, "event": "Again"}).repeated == 1
    assert [one.name for one in everywhere.project.ingest.events("ann")] == ["Bought"]


def test_a_bad_address_costs_no_other_trait(asked: Asked) -> None:
    asked.send({**ANN, "traits": {"email": "ann@x.org"}})
    asked.send(
        {**ANN, "traits": {"plan": "pro"}},
        {**ANN, "traits": {"email": "other@x.org", "lost": 1}},
        {**ANN, "traits": {"email": "nobody"}},
    )
    assert asked.attributes("ann") == {"plan": "pro"}
    assert asked.refused() == [("EMAIL_INVALID", "ann"), ("EMAIL_IMMUTABLE", "ann")]


BROKEN = [
    ({"type": "identify"}, "MESSAGE_NO_ID"),
    ({"type": "identify", "userId": "  "}, "MESSAGE_NO_ID"),
    ({"type": "identify", "userId": {}}, "MESSAGE_INVALID"),
    ({"type": "identify", "userId": True}, "MESSAGE_INVALID"),
    ({"type": "identify", "userId": "x" * 501}, "ID_TOO_LONG"),
    ({"type": "identify", "userId": "a\u0000b"}, "TEXT_ENCODING"),
    ({"type": "identify", "userId": "a\nb"}, "ID_CHARACTERS"),
    ({"type": "identify", "userId": "\ud800"}, "TEXT_ENCODING"),
    ({"type": "identify", "userId": "ann", "traits": []}, "MESSAGE_INVALID"),
    ({"type": "identify", "userId": "ann", "traits": {"a": "\u0000"}}, "JSON_INVALID"),
    ({"type": "identify", "userId": "ann", "traits": {"\ud800": 1}}, "JSON_INVALID"),
    ({"type": "identify", "userId": "ann", "traits": {"email": 5}}, "EMAIL_INVALID"),
    ({"type": "track", "userId": "ann"}, "MESSAGE_INVALID"),
    ({"type": "group", "userId": "ann"}, "MESSAGE_INVALID"),
    ({"type": "group", "userId": "ann", "groupId": ""}, "MESSAGE_INVALID"),
    ({"type": "alias", "userId": "ann"}, "MESSAGE_INVALID"),
    ({"type": "alias", "anonymousId": "a1", "previousId": "a2"}, "MESSAGE_INVALID"),
    ({"type": "nothing", "userId": "ann"}, "MESSAGE_INVALID"),
    ({"userId": "ann"}, "MESSAGE_INVALID"),
    ({**ANN, "messageId": "m" * 101}, "MESSAGE_INVALID"),
    ("text", "MESSAGE_INVALID"),
    (None, "MESSAGE_INVALID"),
]


def test_broken_messages_are_refused_alone(asked: Asked) -> None:
    asked.send(ANN, *(message for message, _ in BROKEN), {**ANN, "traits": {"last": 1}})
    assert [code for code, _ in asked.refused()] == [code for _, code in BROKEN]
    assert asked.attributes("ann") == {"plan": "free", "last": 1}


def test_a_numeric_id_is_its_digits(asked: Asked) -> None:
    asked.send({"type": "identify", "userId": 42, "anonymousId": None})
    assert asked.project.person("id:42").id == "42"


SMALL = json.dumps(ANN).encode()
LARGE = json.dumps({**ANN, "traits": {"a": "x" * (32 << 10)}}).encode()
FULL = json.dumps({"batch": [{**ANN, "traits": {"a": "x" * 30_000}}] * 18}).encode()
PACKED = {"content-encoding": "gzip"}
ANSWERS: list[tuple[str, bytes, dict[str, str], int]] = [
    *((path, SMALL, {}, 200) for path in ("identify", "group", "track", "page", "screen")),
    *((path, SMALL, {}, 200) for path in ("alias", "i", "g", "t", "p", "s", "a")),
    *((path, b'{"batch":[]}', {}, 200) for path in ("batch", "import", "b")),
    ("identify", gzip.compress(SMALL), PACKED, 200),
    ("identify", SMALL, {"content-type": "text/plain"}, 200),
    ("identify", b"{", {}, 400),
    ("identify", b"[]", {}, 400),
    ("identify", b'{"a":NaN}', {}, 400),
    ("identify", b'{"writeKey":"\\ud800"}', {"authorization": ""}, 401),
    ("identify", b'{"userId":"ann","traits":{"n":' + b"9" * 5000 + b"}}", {}, 200),
    ("identify", b'{"userId":"ann","traits":{"n":1e400}}', {}, 200),
    ("identify", b'{"a":"\xff"}', {}, 400),
    ("identify", b'{"a":' + b"[" * 100_000, {}, 400),
    ("batch", SMALL, {}, 400),
    ("batch", b'{"batch":{}}', {}, 400),
    ("identify", LARGE, {}, 400),
    ("batch", b'{"batch":[' + LARGE + b"]}", {}, 400),
    ("batch", FULL, {}, 400),
    ("batch", gzip.compress(FULL), PACKED, 400),
    ("identify", SMALL, PACKED, 400),
    ("identify", gzip.compress(SMALL)[:-1], PACKED, 400),
    ("identify", gzip.compress(SMALL) * 2, PACKED, 400),
    ("identify", SMALL, {"content-encoding": "br"}, 400),
    ("identify", SMALL, {"authorization": "Basic %%%"}, 401),
    ("identify", SMALL, {"authorization": "Basic d3Jvbmc6"}, 401),
    ("identify", SMALL, {"authorization": ""}, 401),
    ("other", SMALL, {}, 404),
]


def test_answers_are_those_of_the_protocol(asked: Asked) -> None:
    found = []
    for path, body, headers, status in ANSWERS:
        how: dict[str, Any] = {"auth": None} if "authorization" in headers else {}
        answer = asked.post(path, body, headers=headers, **how)
        told = answer.json()
        assert told["success"] is (status == 200)
        assert status == 200 or (told["code"] and told["message"])
        assert "recursion" not in answer.text, "words for who sends it"
        assert answer.headers["access-control-allow-origin"] == "*"
        found.append(answer.status_code)
    assert found == [status for _, _, _, status in ANSWERS]


def test_who_asks_otherwise_or_meets_a_fault_of_ours_is_answered_in_the_same_form(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("rowlift.web.ingest.app.call", None)
    answers = [asked.ask("GET", "track"), asked.post("identify", SMALL)]
    told = [(one.status_code, one.json()["code"]) for one in answers]
    assert told == [(405, "method_not_allowed"), (500, "internal")]
    assert answers[0].headers["allow"] == "POST"
    assert caplog.messages[-1].split()[-1] in answers[1].json()["message"]


def test_of_a_member_that_stands_twice_the_last_one_counts(asked: Asked) -> None:
    twice = b'{"type":"identify","userId":"bob","userId":"ann","traits":{"a":1,"b":1,"a":2}}'
    assert asked.post("batch", b'{"batch":[' + twice + b"," + SMALL + b"]}").status_code == 200
    written(asked.project.ingest)
    assert asked.attributes("ann") == {"a": 2, "b": 1, "plan": "free"}


FAR = [
    {"timestamp": "0001-01-01T00:00:00+14:00", "sentAt": "9999-12-31T23:59:59-14:00"},
    {"timestamp": "9999-12-31T23:59:59Z"},
    {"timestamp": "99999-01-01T00:00:00Z", "sentAt": {}},
    {"timestamp": 1e308, "sentAt": "2026-11-23T10:00:00Z"},
]


def test_a_moment_that_no_calendar_has_is_when_the_message_came(asked: Asked) -> None:
    asked.send(*({"type": "track", "userId": "ann", "event": "e", **one} for one in FAR))
    events = asked.project.ingest.events("ann")
    assert [one.at for one in events] == [one.received_at for one in events]
    assert len(events) == len(FAR)


def test_S30_what_would_become_large_is_refused_before_it_does(asked: Asked) -> None:
    bomb = gzip.compress(b"0" * (1 << 28), compresslevel=1)
    tracemalloc.start()
    try:
        answer = asked.post("batch", bomb[: BATCH_BYTES - 1], headers=PACKED)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (answer.status_code, answer.json()["code"]) == (400, "payload_too_large")
    assert peak < 20 * BATCH_BYTES


def test_a_key_may_stand_in_the_body_and_is_refused_once_it_is_revoked(asked: Asked) -> None:
    body = {**ANN, "writeKey": asked.key}
    assert asked.post("identify", body, auth=None).status_code == 200
    asked.project.ingest.revoke_key("web")
    other = Asked(asked.project)  # a server that was started since
    assert other.post("identify", body, auth=None).status_code == 401
    assert other.post("identify", body).status_code == 200


def test_too_many_messages_are_answered_and_refused(asked: Asked) -> None:
    asked.send(*([{"type": "track", "userId": "a", "event": "e"}] * 2501))
    assert asked.refused() == [("BATCH_TOO_LONG", "")]
    assert asked.project.people() == []


def test_a_browser_may_ask_from_any_page(asked: Asked) -> None:
    answer = asked.ask("OPTIONS", "t", headers={"origin": "https://shop.example"})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-methods"] == "POST"


@pytest.mark.door("python")
def test_C9_who_is_suppressed_is_not_taken_in_by_any_name(asked: Asked) -> None:
    project = asked.project
    project.suppress(["email:ann@x.org"])
    asked.send({**ANN, "anonymousId": "a1", "traits": {"email": "Ann@X.org"}})
    assert asked.send({"type": "track", "userId": "ann", "event": "Later"}).suppressed == 1
    assert asked.send({"type": "track", "anonymousId": "a1", "event": "Later"}).suppressed == 1
    assert project.people() == []
    assert asked.refused() == []


def test_messages_wait_while_a_run_writes_what_it_decided(asked: Asked, inlet: Inlet) -> None:
    asked.post("identify", ANN)
    with closing(Store.open(inlet.folder / ".rowlift")) as store:
        run = store.runs.open(1, "people", "{}", phase="apply")
        assert asked.project.ingest.write_some() is None
        with store.database.transaction("test") as connection:
            store.runs.finish(connection, run.id, Status.COMPLETED, {})
    assert written(asked.project.ingest).messages == 1


def test_a_fault_of_ours_stops_no_other_request(asked: Asked) -> None:
    asked.post("identify", ANN)
    asked.project.ingest.accept([Accepted(1, "", 0.0, b"{}")])  # not as the door lets it in
    asked.post("identify", {**ANN, "traits": {"last": 1}})
    assert asked.send().messages == 3
    assert asked.refused() == [("INTERNAL", "")]
    assert asked.attributes("ann") == {"plan": "free", "last": 1}


def test_what_is_old_is_forgotten(asked: Asked, inlet: Inlet) -> None:
    bought = {"type": "track", "userId": "ann", "event": "Bought", "messageId": "m1"}
    asked.send({"type": "track", "userId": "ann"}, bought)
    assert asked.project.prune().events == 0
    with closing(Store.open(inlet.folder / ".rowlift")) as store:
        keep, now = RetentionSpec(), time.time()
        assert prune_intake(store.database, 1, keep, now)["messages"] == 0
        assert prune_intake(store.database, 1, keep, now + DEDUPE_SECONDS + 60)["messages"] == 1
        assert prune_intake(store.database, 1, keep, now + keep.rejects + 60)["messages"] == 1
        workspace = Workspace(store.database, 1)
        assert prune_workspace(workspace, keep, now + keep.events + 60)["events"] == 1
    assert asked.refused() == []
    assert asked.send(bought).repeated == 0


@pytest.mark.door("cli")
def test_A24_keys_are_made_and_messages_looked_at_on_the_command_line(inlet: Inlet) -> None:
    with inlet.opened() as asked:
        asked.send({"type": "track", "userId": "ann", "event": "Bought"}, {"type": "track"})

    def ask(*words: str) -> Any:
        return run_cli("-o", "json", *words, cwd=inlet.folder)

    made = ask("keys", "create", "shop").json["key"]
    listed = ask("keys").json["keys"]
    assert [one["name"] for one in listed] == ["shop", "web"]
    assert made["secret"].endswith(listed[0]["ending"])
    assert made["secret"] not in str(listed)
    assert ask("keys", "create", "shop").json["error"]["code"] == "NAME_TWICE"
    assert [one["name"] for one in ask("keys", "revoke", "shop").json["keys"]] == ["web"]
    assert ask("keys", "revoke", "shop").json["error"]["code"] == "NAME_UNKNOWN"
    (refused,) = ask("messages").json["rejects"]
    assert refused["code"] == "MESSAGE_NO_ID"
    (event,) = ask("messages", "events", "ann").json["events"]
    assert event["name"] == "Bought"


def test_who_is_erased_is_nowhere(asked: Asked, inlet: Inlet) -> None:
    asked.send({**ANN, "userId": "ann-4711", "traits": {"email": "ann-4711@x.org"}})
    asked.send({"type": "track", "userId": "ann-4711", "event": "Bought"})
    asked.send({"type": "track", "userId": "ann-4711"})
    asked.post("identify", {**ANN, "userId": "ann-4711", "traits": {"note": "ann-4711"}})
    asked.project.erase("ann-4711")
    with pytest.raises(StateError, match="NOT_FOUND"):
        asked.project.person("ann-4711")
    assert asked.refused() == []
    asked.project.close()
    left = [path for path in inlet.folder.rglob("*.db*") if b"ann-4711" in path.read_bytes()]
    assert left == []
