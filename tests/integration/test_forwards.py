"""Forwards: which events go, with what, in which order, and what is left when somebody kills it."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import rowlift
from doors.api import serving
from doors.cli import run_cli
from doors.forks import forked
from rowlift.core import faults
from rowlift.core.errors import GuardStop, StateError
from rowlift.core.nouns import Status
from rowlift.core.progress import Silent
from rowlift.core.rights import Role
from rowlift.core.specs import RetentionSpec
from rowlift.operations.forwarding import Forwarder, begun
from rowlift.operations.pruning import prune
from rowlift.testing import misbehaviour as m
from rowlift.testing.forwards import FORWARD, Crossing, track
from rowlift.testing.sink import Sink
from rowlift.workspace.prune import prune_workspace
from servers.postgres import PostgresDatabase

ANN = {
    "type": "identify",
    "userId": "ann",
    "anonymousId": "a1",
    "traits": {"email": "ann@x.org", "plan": "pro", "mrr": 12.5, "old": None},
}
POINTS = [
    "forward.claim.before_commit",
    "forward.claim.after_commit",
    "forward.begin.before_commit",
    "forward.begin.after_commit",
    "deliver.before_send",
    "deliver.after_send",
    "forward.settle.before_commit",
    "forward.settle.after_commit",
    "forward.rest.before_commit",
    "forward.rest.after_commit",
]
_SECONDS = 60


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


def hook(sink: Sink, **settings: Any) -> dict[str, Any]:
    url = f"{sink.url}/hook"
    return {"type": "webhook", "url": url, "allow_networks": ["127.0.0.0/8"], **settings}


def keys(sink: Sink) -> list[tuple[str, dict[str, str]]]:
    return [(one["name"], one["key"]) for one in sink.taken.records.values()]


def names(sink: Sink) -> list[str]:
    return [one["name"] for one in sink.taken.records.values()]


@pytest.mark.door("python")
def test_A24_chosen_traits_of_the_person_go_along(
    sink: Sink, tmp_path: Path, state_url: str
) -> None:
    traits = {"plan": "plan", "mrr": "revenue", "email": "mail", "old": "old", "gone": "gone"}
    crossing = Crossing(tmp_path / "acme", hook(sink), state_url=state_url, traits=traits)
    crossing.come(ANN, track("ann", price=1.5), track("bob"))
    with crossing.project() as project:
        (report,) = project.ingest.forwards.run()
    assert (report.status, report.delivered, report.waiting) == (Status.COMPLETED, 2, 0)
    ann, bob = sink.taken.records.values()
    assert ann["traits"] == {"plan": "pro", "revenue": 12.5, "mail": "ann@x.org"}
    assert (ann["type"], ann["name"], ann["key"]) == ("track", "Bought", {"user_id": "ann"})
    assert (ann["properties"], ann["timestamp"][-1]) == ({"price": 1.5}, "Z")
    assert bob["traits"] == {}
    envelope = json.loads(sink.requests[0].body)
    assert (envelope["type"], envelope["data"]["forward"]) == ("events.forwarded", FORWARD)


def test_figures_and_requests_tell_of_a_forward(sink: Sink, tmp_path: Path) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink))
    crossing.come(track("ann"), track("bad"))
    sink.poison = {"bad"}
    crossing.run()
    crossing.come(track("ann", "waits"))
    with crossing.project() as project:
        values = project.watch.figures().values
        assert {one.sync for one in project.watch.requests("there")} == {FORWARD}
    assert values["rowlift_forward_events_waiting", (FORWARD,)] == 1
    told = {
        outcome: values["rowlift_forwarded_events_total", (FORWARD, outcome)]
        for outcome in ("delivered", "rejected", "suppressed", "skipped")
    }
    assert told == {"delivered": 1, "rejected": 1, "suppressed": 0, "skipped": 0}


def test_only_the_chosen_events_go_and_only_those_that_come_from_now_on(
    sink: Sink, tmp_path: Path
) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink), types=["track"], names=["Bought"])
    crossing.come(track("ann"), track("ann", "Looked"), {**track("ann"), "type": "page"})
    assert (crossing.run().delivered, names(sink)) == (1, ["Bought"])
    crossing.edit(forward="later", types=["page"])
    (tmp_path / "acme" / "forwards" / "all.yml").write_text(
        "forward: all\ndestination: there\nstart: beginning\n"
    )
    with crossing.project() as project:
        reports = {one.name: one for one in project.ingest.forwards.run()}
    assert reports["later"].delivered == 0
    assert reports["all"].delivered == 3


def test_a_person_is_named_by_the_first_identifier_that_they_have(
    sink: Sink, tmp_path: Path
) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink), match=["email", "user_id"])
    stranger = {"type": "page", "anonymousId": "a9", "name": "Start"}
    crossing.come(ANN, track("ann", "1"), track("bob", "2"), stranger)
    report = crossing.run()
    assert (report.delivered, report.skipped) == (2, 1)
    assert keys(sink) == [("1", {"email": "ann@x.org"}), ("2", {"user_id": "bob"})]


@pytest.mark.door("python")
def test_C9_who_is_suppressed_before_or_meanwhile_gets_no_event_forwarded(
    sink: Sink, tmp_path: Path
) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink, batch_rows=1))
    crossing.come(ANN, track("eve"), track("bob"), track("ann"), track("bob", "last"))
    with crossing.project() as project:
        project.suppress(["id:eve"])

        def suppress_meanwhile() -> bool:
            project.suppress(["email:ann@x.org"])
            return False

        (report,) = project.ingest.forwards.run(cancelled=suppress_meanwhile)
    assert (report.status, report.delivered, report.suppressed) == (Status.COMPLETED, 2, 2)
    assert keys(sink) == [("Bought", {"user_id": "bob"}), ("last", {"user_id": "bob"})]


def test_what_is_too_large_is_set_aside(sink: Sink, tmp_path: Path) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink), traits={"note": "note"})
    notes = [{"type": "identify", "userId": "ann", "traits": {"note": "x" * 600_000}}]
    crossing.come(*notes, track("bob", "1"), track("ann", "2"), track("bob", "3"))
    report = crossing.run()
    assert (report.status, report.delivered) == (Status.SOME_ROWS_FAILED, 2)
    assert crossing.rejects() == [("2", "ann", "RECORD_TOO_LARGE")]
    assert names(sink) == ["1", "3"]


def test_a_partial_answer_moves_only_what_was_taken(sink: Sink, tmp_path: Path) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink))
    crossing.come(*(track(f"u{at}", str(at)) for at in range(5)))
    busy = m.partial({1: ("busy", "later", True), 3: ("bad", "never", False)})
    again = m.partial({0: ("busy", "later", True)})
    sink.misbehave(busy, again, again, again, again)
    report = crossing.run()
    assert (report.status, report.waiting) == (Status.FAILED, 4)
    assert (report.delivered, report.rejected) == (3, 1)
    report = crossing.run()
    assert (report.status, report.delivered, report.rejected) == (Status.COMPLETED, 4, 1)
    assert sorted(names(sink)) == ["0", "1", "2", "4"]
    assert sink.taken.repeats == 0


def test_events_that_wait_are_kept_however_old(sink: Sink, tmp_path: Path) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink))
    crossing.come(track("ann"), track("ann"))
    keep = RetentionSpec(events=0)
    with crossing.project() as project:
        home = project.ingest.home
        later = crossing.clock.now().timestamp() + 10**9
        wanted = min(one.position for one in begun(home).values())
        assert prune_workspace(home.workspace, keep, later, wanted)["events"] == 0
        assert prune(home).events == 0
        project.ingest.forwards.run()
        wanted = min(one.position for one in begun(home).values())
        assert prune_workspace(home.workspace, keep, later, wanted)["events"] == 2
    assert len(sink.taken.records) == 2


def test_nothing_of_who_was_erased_is_left_or_sent(sink: Sink, tmp_path: Path) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink))
    crossing.come(ANN, track("ann", "refused"), track("bob"))
    sink.poison = {"ann"}
    crossing.run()
    assert crossing.rejects() == [("refused", "ann", "REFUSED")]
    sink.poison = set()
    crossing.come(track("ann", "waits"), track("bob", "goes"))
    with crossing.project() as project:
        project.erase("ann")
    assert crossing.rejects() == []
    crossing.run()
    assert names(sink) == ["Bought", "goes"]


def test_a_forward_is_carried_by_one_process_at_a_time(sink: Sink, tmp_path: Path) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink))
    crossing.come(track("ann"))
    with crossing.project() as project, crossing.project() as other:
        (one,) = begun(project.ingest.home).values()
        claimed = project.ingest.home.store.forwards.claim(one)
        assert claimed
        (report,) = other.ingest.forwards.run()
        assert (report.status, report.delivered) == (Status.RUNNING, 0)
        assert Forwarder(other.ingest.home, crossing.clock, Silent()).due() == {}
    assert crossing.run().delivered == 1


def test_who_carries_a_forward_that_is_set_back_settles_nothing_more(
    sink: Sink, tmp_path: Path, state_url: str
) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink, batch_rows=1), state_url=state_url)
    crossing.come(track("ann", "1"), track("ann", "2"), track("ann", "3"))
    with crossing.project() as project, crossing.project() as other:
        (first, *_) = reversed(project.ingest.events("ann"))

        def set_back() -> bool:
            if len(sink.requests) == 2:
                other.ingest.forwards.rewind(FORWARD, message_id=first.message_id)
            return False

        (report,) = project.ingest.forwards.run(cancelled=set_back)
        assert (report.status, report.waiting) == (Status.QUEUED, 3)
        (report,) = project.ingest.forwards.run()
    assert (report.status, report.waiting) == (Status.COMPLETED, 0)
    assert names(sink) == ["1", "2", "3"]
    assert sink.taken.repeats >= 2


@pytest.mark.door("cli")
def test_A24_the_console_sets_a_forward_back_to_a_moment_or_an_event(
    sink: Sink, tmp_path: Path
) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink))
    crossing.come(track("ann", "1"), track("ann", "2"))
    crossing.run()
    cli = partial(run_cli, cwd=crossing.path)
    assert cli("forward", FORWARD, "--since", "2020-01-01").code == 0
    assert sink.taken.repeats == 2
    with crossing.project() as project:
        last = project.ingest.events("ann")[0].message_id
    assert cli("forward", FORWARD, "--from", last).code == 0
    assert sink.taken.repeats == 3
    wrong = [
        ("--since", "2999-01-01"),
        ("--from", "unknown"),
        ("--from", last, "--since", "2020-01-01"),
    ]
    assert [cli("forward", FORWARD, *one).code for one in wrong] == [2, 1, 2]
    assert "One forward" in cli("forward", "--since", "2020-01-01").stderr
    with crossing.project() as project:
        noted = project.access.audit.page()
    assert [(one.action, one.actor, one.subject) for one in noted] == [
        ("forward.rewind", "console", FORWARD)
    ] * 2
    assert noted[0].after == {"message_id": last}


@pytest.mark.door("api")
def test_A24_an_editor_sets_a_forward_back_and_it_is_written_down(
    sink: Sink, tmp_path: Path
) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink))
    crossing.come(track("ann", "1"), track("ann", "2"))
    crossing.run()
    path = f"/forwards/{FORWARD}/rewind"
    with serving(crossing.path, crossing.clock) as api, api.as_user(Role.EDITOR) as editor:
        back = editor.post(path, json={"since": "2020-01-01T00:00:00Z"})
        assert (back.status_code, back.json()["waiting"]) == (200, 2)
        bodies: list[dict[str, str]] = [
            {}, {"since": "2020-01-01T00:00:00"}, {"since": "0001-01-01T00:00:00+23:59"},
            {"message_id": "no\0ne"},
        ]  # fmt: skip
        told = [editor.post(path, json=body).status_code for body in bodies]
        (noted,) = [one for one in api.project.access.audit.page() if "rewind" in one.action]
    assert told == [422, 422, 422, 404]
    assert (noted.actor, noted.after) == ("editor@example.com", {"since": "2020-01-01T00:00:00Z"})
    assert (crossing.run().waiting, sink.taken.repeats) == (0, 2)


@pytest.mark.door("python")
@pytest.mark.parametrize("point", POINTS)
def test_A24_F12_what_is_killed_goes_on_and_repeats_only_ids(
    sink: Sink, tmp_path: Path, point: str
) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink, batch_rows=3))
    crossing.come(ANN, *(track("ann", str(at)) for at in range(8)))
    assert forked(_forward, str(crossing.path), f"{point}:1:kill", seconds=_SECONDS) == -9
    assert forked(_forward, str(crossing.path), f"{point}:2:kill", seconds=_SECONDS) in (-9, 0)
    with crossing.project() as project:
        (report,) = project.ingest.forwards.run()
    assert (report.status, report.delivered, report.waiting) == (Status.COMPLETED, 8, 0)
    assert names(sink) == [str(at) for at in range(8)]
    assert sink.taken.repeats <= 6


# Ends the session of whoever writes, at each of the next places that a forward comes to.
ENDS = """
CREATE SEQUENCE trouble;
CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('trouble') IN (1, 3, 6, 10, 15, 21) THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
        PERFORM pg_sleep(60);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER trouble BEFORE UPDATE ON forwards EXECUTE FUNCTION trouble()
"""


@pytest.mark.door("python")
def test_A24_F66_a_forward_whose_session_ends_anywhere_goes_on(
    sink: Sink, tmp_path: Path, postgres_database: PostgresDatabase
) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink), state_url=postgres_database.url)
    crossing.come(ANN, *(track("ann", str(at)) for at in range(3)))
    postgres_database.execute(ENDS)
    broke_off = []
    with crossing.project() as project:
        forwarder = Forwarder(project.ingest.home, crossing.clock, Silent())
        while due := forwarder.due():
            try:
                forwarder.carry(FORWARD, due[FORWARD], lambda: False)
            except StateError as error:
                broke_off.append(error.code)
        (report,) = project.ingest.forwards.list()
    assert broke_off == ["STATE_UNREACHABLE"] * 6, "the last time as it came to rest"
    assert (report.status, report.delivered, report.waiting) == (Status.COMPLETED, 3, 0)
    assert names(sink) == ["0", "1", "2"]
    assert sink.taken.repeats == 6


def _forward(folder: str, spec: str) -> None:
    with rowlift.Project(folder, env={}) as project:
        faults.arm(spec)
        project.ingest.forwards.run()


FILES = {"jsonl": "jsonl", "csv": "csv", "parquet": "parquet"}


@pytest.mark.parametrize("form", FILES)
def test_events_go_into_files_of_each_form(tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    files = {"type": "files", "path": str(out), "format": form}
    crossing = Crossing(tmp_path / "acme", files, traits={"plan": "plan"})
    stranger = {"type": "track", "anonymousId": "z", "event": "Looked"}
    crossing.come(ANN, track("ann", "=Bought", price=2), stranger)
    assert crossing.run().delivered == 2
    (path,) = out.rglob(f"*.{form}")
    assert [*told(path)] == [
        ("track", "=Bought", "ann", None, {"price": 2}, {"plan": "pro"}),
        ("track", "Looked", None, "z", {}, {}),
    ]


def told(path: Path) -> Iterator[tuple[Any, ...]]:
    for one in read(path):
        named = one.get("key", one)
        data = [
            json.loads(one[name]) if isinstance(one[name], str) else one[name]
            for name in ("properties", "traits")
        ]
        known = (named.get("user_id") or None, named.get("anonymous_id") or None)
        yield one["type"], one["name"].removeprefix("'"), *known, *data


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return list(pq.read_table(path).to_pylist())
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as text:
            return list(csv.DictReader(text))
    return [json.loads(line) for line in path.read_text().splitlines()]


# definitions


def test_a_forward_is_made_edited_renamed_and_goes_on_where_it_stopped(
    sink: Sink, tmp_path: Path
) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink))
    with crossing.project() as project:
        door = project.definitions
        made = door.create("forward", "second", {"destination": "there", "types": ["track"]})
        assert made.document == {"forward": "second", "destination": "there", "types": ["track"]}
        crossing.come(track("ann", "1"))
        project.ingest.forwards.run(["second"])
        renamed = door.rename("forward", "second", "third", expected=made.version)
        assert renamed.document["forward"] == "third"
        (report,) = project.ingest.forwards.run(["third"])
        assert (report.delivered, report.waiting) == (1, 0)
        with pytest.raises(GuardStop, match="EDIT_CONFLICT"):
            door.edit("forward", "third", renamed.document, expected=made.version)
        door.archive("forward", "third", expected=renamed.version)
        assert [one.name for one in project.ingest.forwards.list()] == [FORWARD]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"destination": "nowhere"}, "NAME_UNKNOWN"),
        ({"types": ["identify"]}, "VALUE_WRONG"),
        ({"types": []}, "VALUE_WRONG"),
        ({"match": ["phone"]}, "VALUE_WRONG"),
        ({"traits": {"a": "x", "b": "x"}}, "VALUE_WRONG"),
        ({"trait": {}}, "KEY_UNKNOWN"),
        ({"destination": None}, "KEY_MISSING"),
    ],
)
def test_a_wrong_forward_is_refused_by_file_and_key(
    sink: Sink, tmp_path: Path, wrong: dict[str, Any], code: str
) -> None:
    crossing = Crossing(tmp_path / "acme", hook(sink))
    given = {"forward": "bad", "destination": "there", **wrong}
    text = json.dumps({key: value for key, value in given.items() if value is not None})
    (tmp_path / "acme" / "forwards" / "bad.yml").write_text(text)
    with crossing.project() as project:
        found = [one for one in project.check() if one.place and "bad" in one.place.path]
    assert Counter(one.code for one in found) == {code: 1}


@pytest.mark.parametrize("type_", ["sandbox", "segment"])
def test_what_takes_no_such_events_is_refused(tmp_path: Path, type_: str) -> None:
    settings = {"sandbox": {"path": "x.jsonl"}, "segment": {"write_key": "k"}}[type_]
    crossing = Crossing(tmp_path / "acme", {"type": type_, **settings}, match=["email"])
    with crossing.project() as project:
        found = {(one.code, one.place.path) for one in project.check() if one.place}
    assert ("CANNOT_DO", "forwards/events.yml") in found
