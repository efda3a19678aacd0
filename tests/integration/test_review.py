"""What must not go wrong when settings, files or processes change between one step and the next."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rowlift
from rowlift.core.errors import Busy, ConfigError, GuardStop, RowliftError, StateError
from rowlift.core.faults import InjectedFault, arm
from rowlift.core.nouns import Outcome, Status, Verdict
from rowlift.engine.deliver import Pace
from rowlift.state.definitions import Declared
from rowlift.state.store import Store
from rowlift.testing.clock import QuickClock
from world import World

ALMOST_ALWAYS = 0.999999999


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "acme")


def _three_columns(world: World) -> None:
    world.columns = ("user_id", "plan", "city")
    world.sync["sql"] = "SELECT user_id, plan, city FROM people"


def _break_at(world: World, point: str, **how: Any) -> None:
    """Run until a point is passed and the process would have died there."""
    arm(f"{point}:raise")
    try:
        with pytest.raises(InjectedFault):
            world.run(**how)
    finally:
        arm()


# what is not there any more when an interrupted run or delivery goes on


def test_a_source_whose_secret_is_missing_blocks_no_other_sync(world: World) -> None:
    world.rows(("a", "x"))
    world.save()
    _second_sync(world, source="lost")
    with world_project(world, lost=True) as project:
        with pytest.raises(ConfigError):
            project.run(["others"])
        assert project.runs(limit=1)[0].status is Status.FAILED
        assert project.run(["people"])[0].status is Status.COMPLETED


def world_project(world: World, *, lost: bool = False) -> rowlift.Project:
    """The world's project with a second sync and, if asked, a source that cannot be opened."""
    connections = json.loads((world.folder / "connections.yml").read_text())
    if lost:
        sources = connections["profiles"]["dev"]["sources"]
        sources["lost"] = {"type": "files", "root": "${NOWHERE_SET}"}
    (world.folder / "connections.yml").write_text(json.dumps(connections))
    return rowlift.Project(world.folder, clock=QuickClock(), env=world.env)


def _second_sync(world: World, **changes: Any) -> None:
    document = {**world.sync, "sync": "others", "destinations": [world.use], **changes}
    (world.folder / "syncs" / "others.yml").write_text(json.dumps(document))


def test_an_interrupted_run_whose_source_is_gone_blocks_nothing(world: World) -> None:
    world.rows(("a", "x"))
    _break_at(world, "run.open.after_commit:1")
    world.save()
    connections = (world.folder / "connections.yml").read_text()
    (world.folder / "connections.yml").write_text(connections.replace('"shop"', '"store"'))
    (world.folder / "syncs" / "people.yml").write_text(
        json.dumps({**world.sync, "source": "store", "destinations": [world.use]})
    )
    with rowlift.Project(world.folder, clock=QuickClock(), env=world.env) as project:
        assert project.run(["people"])[0].status is Status.COMPLETED
        first = project.runs()[-1]
        assert (first.status, first.reason_code) == (Status.CANCELLED, "INTERRUPTED")
    assert world.applied() == {"a": {"plan": "x"}}


def test_a_renamed_destination_gets_what_an_interrupted_run_queued(world: World) -> None:
    world.rows(("a", "x"))
    _break_at(world, "run.merge.after_commit:1")
    _rename_crm(world)
    with rowlift.Project(world.folder, clock=QuickClock(), env=world.env) as project:
        project.run(["people"])
    assert world.applied() == {"a": {"plan": "x"}}
    assert len(world.sent()) == 1


def test_a_renamed_destination_gets_its_open_delivery(world: World) -> None:
    world.rows(("a", "x"))
    world.run(wait=False)
    _rename_crm(world)
    with rowlift.Project(world.folder, clock=QuickClock(), env=world.env) as project:
        project.run(["people"])
        assert {one.status for run in project.runs() for one in run.deliveries} <= {
            Status.COMPLETED, Status.SKIPPED,
        }  # fmt: skip
    assert world.applied() == {"a": {"plan": "x"}}


def _rename_crm(world: World) -> None:
    world.save()
    connections = json.loads((world.folder / "connections.yml").read_text())
    destinations = connections["profiles"]["dev"]["destinations"]
    destinations["sales"] = {**destinations.pop("crm"), "renamed_from": "crm"}
    (world.folder / "connections.yml").write_text(json.dumps(connections))
    document = {**world.sync, "destinations": [{**world.use, "use": "sales"}]}
    (world.folder / "syncs" / "people.yml").write_text(json.dumps(document))


def test_a_doubt_outlives_a_destination_that_is_gone_for_a_while(world: World) -> None:
    world.use["removed"] = "delete"
    world.rows(("a", "x"), ("b", "x"))
    _break_at(world, "fake.after_send:1")
    assert {"a", "b"} <= set(world.applied())
    world.save()
    connections = json.loads((world.folder / "connections.yml").read_text())
    del connections["profiles"]["dev"]["destinations"]["crm"]
    (world.folder / "connections.yml").write_text(json.dumps(connections))
    (world.folder / "syncs" / "people.yml").write_text(
        json.dumps({**world.sync, "workspace": "write"})
    )
    world.rows(("b", "x"))
    with rowlift.Project(world.folder, clock=QuickClock(), env=world.env) as project:
        project.run(["people"])
    world.run()
    assert set(world.applied()) == {"b"}


def test_an_interrupted_delivery_does_not_go_on_to_another_account(world: World) -> None:
    world.rows(*((f"k{n}", "x") for n in range(30)))
    world.crm |= {"in_flight": 1}
    _break_at(world, "fake.before_send:3")
    before = len(world.sent())
    world.crm["account"] = "somebody else's"
    world.run()
    assert len(world.sent()) == before
    world.crm["account"] = "fake"
    world.run()
    assert len(world.applied()) == 30


def test_a_destination_the_sync_left_gets_nothing_more(world: World) -> None:
    world.others["mail"] = {}
    world.uses.append({"use": "mail", "match": "user_id"})
    world.rows(("a", "x"))
    world.run(wait=False)
    world.uses.clear()
    world.run()
    assert world.sent("mail") == []
    assert len(world.sent()) == 1


# queued and retried deliveries


def test_a_delivery_that_waited_is_sent_as_the_newest_settings_say(world: World) -> None:
    _three_columns(world)
    world.rows(("a", "x", "secret"))
    world.run(wait=False)
    world.use["exclude"] = ["city"]
    world.run()
    assert [one["attributes"] for one in world.sent()] == [{"plan": "x"}]


def test_retry_sends_as_the_newest_settings_say(world: World) -> None:
    _three_columns(world)
    world.crm["reject"] = ["b"]
    world.rows(("a", "x", "Bonn"), ("b", "x", "Rome"))
    first = world.run()
    world.use["exclude"] = ["city"]
    world.run()
    world.crm["reject"] = []
    before = len(world.sent())
    with world.project() as project:
        project.retry(first.id)
    assert [one["attributes"] for one in world.sent()[before:]] == [{"plan": "x"}]


def test_retry_knows_only_runs_of_its_own_workspace(world: World) -> None:
    world.rows(("a", "x"))
    first = world.run()
    other = World(world.folder.parent / "other")
    other.rows(("a", "x"))
    other.env["ROWLIFT_DATA_DIR"] = str(world.folder / ".rowlift")
    other.save()
    settings = {"version": 1, "workspace": {"name": "else", "identifiers": ["id"]}}
    (other.folder / "rowlift.yml").write_text(json.dumps(settings))
    with rowlift.Project(other.folder, clock=QuickClock(), env=other.env) as project:
        for ask in (project.retry, project.run_report, lambda run: list(project.rejects(run))):
            with pytest.raises(StateError) as refused:
                ask(first.id)
            assert refused.value.code == "NOT_FOUND"


def test_an_open_circuit_with_a_rate_limit_sends_its_probe() -> None:
    clock = QuickClock()
    waits = iter([0.0, 90.0, 0.0])
    pace = Pace(clock, 2.0, lambda _requests, _rate: next(waits, 0.0))
    for _ in range(5):
        pace.failed(Outcome(Verdict.PENDING, "UNAVAILABLE"))
    pace.enter()
    pace.failed(Outcome(Verdict.PENDING, "UNAVAILABLE"))
    assert pace.stopped is not None


def test_a_probe_that_waits_for_its_turn_is_sent() -> None:
    clock = QuickClock()
    pace = Pace(clock, 2.0, lambda _requests, _rate: 90.0)
    for _ in range(5):
        pace.failed(Outcome(Verdict.PENDING, "UNAVAILABLE"))
    start = clock.slept
    pace.enter()
    assert clock.slept - start < 300


# removals, clears and mappings


def test_switching_removed_to_delete_deletes_nobody_who_left_before(world: World) -> None:
    world.rows(("a", "x"), ("b", "x"))
    world.run()
    world.rows(("b", "x"))
    world.run()
    world.use["removed"] = "delete"
    world.run()
    assert set(world.applied()) == {"a", "b"}
    world.rows()
    world.run(allow_removals=True)
    assert set(world.applied()) == {"a"}


def test_editing_the_mapping_does_not_forget_a_removal_that_failed(world: World) -> None:
    _three_columns(world)
    world.use["removed"] = "delete"
    world.rows(("a", "x", "Bonn"), ("b", "x", "Bonn"))
    world.run()
    world.crm["reject"] = ["a"]
    world.rows(("b", "x", "Bonn"))
    world.run()
    world.crm["reject"] = []
    world.use["exclude"] = ["city"]
    world.run()
    assert world.applied() == {"b": {"plan": "x"}}


def test_another_match_sends_every_row_under_its_new_identifier(world: World) -> None:
    world.rows(("a", "x"), ("b", "y"))
    world.run()
    world.use["match"] = "anonymous_id"
    assert world.run().deliveries[0].counts["delivered"] == 2
    assert [list(one["key"]) for one in world.sent()[2:]] == [["anonymous_id"]] * 2
    assert world.run().deliveries[0].counts["due"] == 0


@pytest.mark.parametrize("mapped", [False, True])
def test_a_clear_by_email_leaves_the_address(world: World, mapped: bool) -> None:
    world.columns = ("email", "plan")
    world.sync |= {"sql": "SELECT email, plan FROM people", "identify_by": "email"}
    world.use |= {"match": "email", "removed": "clear"}
    if mapped:
        world.use["fields"] = {"plan": "tier"}
    world.rows(("A@x.org", "x"), ("b@x.org", "x"))
    world.run()
    world.rows(("b@x.org", "x"))
    world.run()
    last = world.sent()[-1]
    assert (last["op"], last["key"]["email"]) == ("clear", "a@x.org")
    assert last["attributes"] == {"tier" if mapped else "plan": None}


ODD = ("it's", 'the "best"', "a/b~1", "grün ☃", "{curly}", "back\\slash", "0", "KEPT")


def test_odd_column_names_can_be_renamed_excluded_and_cleared(world: World) -> None:
    quoted = [name.replace('"', '""') for name in ODD]
    columns = ", ".join(f'plan AS "{name}"' for name in quoted)
    world.sync["sql"] = f"SELECT user_id, {columns} FROM people"
    world.use |= {"removed": "clear", "fields": {ODD[0]: "tick ' \" ~ /"}, "exclude": [ODD[1]]}
    world.rows(("a", "x"), ("b", "y"))
    world.run()
    left = {"tick ' \" ~ /", *ODD[2:]}
    assert world.applied()["a"] == dict.fromkeys(left, "x")
    world.rows(("b", "y"))
    world.run()
    assert world.sent()[-1]["attributes"] == dict.fromkeys(left, None)


def test_odd_column_names_go_whole_and_are_cleared(world: World) -> None:
    quoted = [name.replace('"', '""') for name in ODD]
    columns = ", ".join(f'plan AS "{name}"' for name in quoted)
    world.sync |= {"sql": f"SELECT user_id, {columns} FROM people", "workspace": "write"}
    world.sync["removed"] = world.use["removed"] = "clear"
    world.rows(("a", "x"), ("b", "y"))
    world.run()
    assert world.applied()["a"] == dict.fromkeys(ODD, "x")
    world.rows(("b", "y"))
    report = world.run()
    assert world.sent()[-1]["attributes"] == dict.fromkeys(ODD, None)
    assert report.counts["workspace"]["clear"] == 1


def test_two_columns_never_become_one_trait(world: World) -> None:
    _three_columns(world)
    world.use["fields"] = {"plan": "city"}
    world.rows(("a", "x", "Bonn"))
    with pytest.raises(GuardStop) as stopped:
        world.run()
    assert stopped.value.code == "COLUMN_DUPLICATE"
    assert world.sent() == []


class Notes:
    """Progress that keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def phase(self, task: str, name: str, total: int | None = None) -> None:
        """Nothing is shown."""

    def advance(self, task: str, rows: int) -> None:
        """Nothing is shown."""

    def note(self, task: str, text: str, detail: str = "") -> None:
        self.said.append(text)


@pytest.mark.parametrize("setting", ["only", "exclude"])
def test_a_setting_that_names_no_column_is_told(world: World, setting: str) -> None:
    _three_columns(world)
    world.use[setting] = ["plan", "citty"]
    world.rows(("a", "x", "Bonn"))
    world.save()
    notes = Notes()
    with rowlift.Project(world.folder, clock=QuickClock(), progress=notes) as project:
        project.run(["people"])
        plan = project.plan("people", world.folder / "people.plan")
    assert any("citty" in text for text in notes.said)
    assert any("citty" in text for text in plan.notes)


def test_warnings_about_columns_and_traits_are_told_by_run_and_plan(world: World) -> None:
    world.sync["sql"] = 'SELECT user_id, plan AS "Plan" FROM people'
    world.rows(("a", "same"), ("b", "same"))
    world.save()
    notes = Notes()
    with rowlift.Project(world.folder, clock=QuickClock(), progress=notes) as project:
        plan = project.plan("people", world.folder / "people.plan")
        project.run(["people"])
    for told in (notes.said, plan.notes):
        assert any("upper-case" in text for text in told)
        assert any("unset" in text for text in told), told


# columns that come, go and change places (F36)


def test_F36_reordered_columns_send_nothing(world: World) -> None:
    _three_columns(world)
    world.use["exclude"] = ["nothing"]
    world.rows(("a", "x", "Bonn"))
    world.run()
    world.sync["sql"] = "SELECT city, user_id, plan FROM people"
    assert world.run().deliveries[0].counts["due"] == 0


def test_F36_a_dropped_column_keeps_its_trait_and_an_added_one_is_new(world: World) -> None:
    _three_columns(world)
    world.rows(("a", "x", "Bonn"))
    world.run()
    world.sync["sql"] = "SELECT user_id, plan FROM people"
    world.run()
    assert world.applied()["a"] == {"plan": "x"}
    world.sync["sql"] = "SELECT user_id, plan, city AS town FROM people"
    world.run()
    assert world.applied()["a"] == {"plan": "x", "town": "Bonn"}


def test_F36_a_dropped_identifier_fails_and_removes_nothing(world: World) -> None:
    world.use["removed"] = "delete"
    world.rows(("a", "x"))
    world.run()
    world.sync["sql"] = "SELECT plan, plan AS tier FROM people"
    with pytest.raises(GuardStop) as stopped:
        world.run()
    assert stopped.value.code == "NO_IDENTIFIER"
    assert set(world.applied()) == {"a"}


# first runs and empty ones


@pytest.mark.parametrize("workspace", ["none", "write"])
def test_a_first_run_without_rows_is_followed_by_one_with_rows(
    world: World, workspace: str
) -> None:
    world.sync |= {"workspace": workspace, "on_bad_rows": "reject"}
    world.rows()
    assert world.run().status is Status.COMPLETED
    assert world.run().status is Status.COMPLETED
    world.rows((None, "x"), (None, "y"))
    assert world.run().status is Status.SOME_ROWS_FAILED
    world.rows(("a", "x"))
    report = world.run()
    assert report.counts["added"] == 1
    assert world.applied() == {"a": {"plan": "x"}}
    with world.project() as project:
        project.reset("people")
        world.rows()
        assert project.run(["people"])[0].counts["present"] == 0
        world.rows(("a", "x"))
        assert project.run(["people"])[0].counts["added"] == 1


def test_addresses_that_differ_in_case_are_one_key(world: World) -> None:
    world.columns = ("email", "plan")
    world.sync |= {"sql": "SELECT email, plan FROM people", "identify_by": "email"}
    world.use["match"] = "email"
    world.rows(("A@x.org", "x"), ("a@X.org", "y"), ("MÜLLER@x.org", "x"), ("müller@x.org", "y"))
    report = world.run()
    assert report.counts["codes"] == {"ID_DUPLICATE": 4}
    world.rows(("A@x.org", "x"))
    world.run()
    world.rows(("a@x.org", "x"))
    assert world.run().counts["changed"] == 1


@pytest.mark.parametrize(
    ("kind", "column"),
    [("account", "group_id"), ("account", "object_id"), ("person", "anonymous_id")],
)
def test_other_identifiers_reach_workspace_and_destination(
    world: World, kind: str, column: str
) -> None:
    world.columns = (column, "plan")
    world.sync |= {
        "kind": kind, "identify_by": column, "workspace": "write", "preset": "traits",
        "sql": f"SELECT {column}, plan FROM people", "removed": "delete",
    }  # fmt: skip
    world.use |= {"match": column, "removed": "delete"}
    world.rows(("a", "x"), ("b", "x"))
    assert world.run().counts["workspace"]["create"] == 2
    world.rows(("b", "y"), ("c", "x"))
    counts = world.run().counts["workspace"]
    assert (counts["create"], counts["update"], counts["delete"]) == (1, 1, 1)
    assert world.applied() == {"b": {"plan": "y"}, "c": {"plan": "x"}}


def test_the_workspace_can_be_left_out_and_taken_in_again(world: World) -> None:
    world.sync["sql"] += " WHERE {{last_sync_time}} = 0"
    world.rows(("a", "x"), ("b", "x"))
    world.run()
    world.sync["workspace"] = "write"
    assert world.run().counts["workspace"]["create"] == 2
    world.sync["workspace"] = "none"
    world.run()
    world.sync["workspace"] = "write"
    assert world.run().counts["workspace"]["due"] == 0


# plan files


def _plan(world: World) -> Path:
    path = world.folder / "people.plan"
    with world.project() as project:
        project.plan("people", path)
    return path


def _tamper(path: Path, **changes: Any) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(parts["plan.json"])
    for name, value in changes.items():
        if value is None:
            document.pop(name, None)
            parts.pop(name.replace("__", "."), None)
        elif "__" in name:
            parts[name.replace("__", ".")] = value
        else:
            document[name] = value
    parts["plan.json"] = json.dumps(document).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    "changes",
    [
        {"sync": None},
        {"created_at": "yesterday"},
        {"against": {"nonsense": 1}},
        {"against": None},
        {"counts": {"read": 5}},
        {"staged__parquet": None},
        {"staged__parquet": b"no parquet"},
    ],
)
def test_a_spoiled_plan_is_refused_and_changes_nothing(
    world: World, changes: dict[str, Any]
) -> None:
    world.rows(("a", "x"))
    path = _plan(world)
    _tamper(path, **changes)
    with pytest.raises((ConfigError, GuardStop)):
        world.run(plan=path)
    assert world.sent() == []
    assert world.run().status is Status.COMPLETED


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_S30_a_plan_that_would_grow_is_refused_before_it_does(world: World, packing: int) -> None:
    world.rows(("a", "x"))
    path = _plan(world)
    with zipfile.ZipFile(path, "a", packing) as archive:
        archive.writestr("more.parquet", bytes(1000))
    with pytest.raises(ConfigError) as refused:
        world.run(plan=path)
    assert refused.value.code == "FILE_UNREADABLE"
    with pytest.raises(ConfigError, match="is not a plan file"):
        world.run(plan=Path("/dev/zero"))


def test_a_plan_of_another_project_is_refused(world: World) -> None:
    world.rows(("a", "x"))
    path = _plan(world)
    other = World(world.folder.parent / "other")
    with pytest.raises(GuardStop) as stopped:
        other.run(plan=path)
    assert stopped.value.code == "PLAN_STALE"


def test_a_plan_is_refused_when_a_connection_changed(world: World) -> None:
    world.rows(("a", "x"))
    path = _plan(world)
    world.crm["account"] = "somebody else's"
    with pytest.raises(GuardStop) as stopped:
        world.run(plan=path)
    assert stopped.value.code == "PLAN_STALE"


def test_a_plan_that_was_interrupted_before_it_began_reads_nothing_new(world: World) -> None:
    world.rows(("a", "planned"))
    path = _plan(world)
    world.rows(("a", "not planned"))
    _break_at(world, "run.open.after_commit:1", plan=path)
    report = world.run(plan=path)
    assert report.status is Status.COMPLETED
    assert world.applied() == {"a": {"plan": "planned"}}


@pytest.mark.parametrize(
    "point", ["plan.adopt.after_commit", "run.merge.after_commit", "fake.after_send"]
)
def test_a_plan_that_was_interrupted_goes_on_when_it_is_applied_again(
    world: World, point: str
) -> None:
    world.rows(("a", "planned"))
    path = _plan(world)
    world.rows(("a", "not planned"))
    _break_at(world, f"{point}:1", plan=path)
    report = world.run(plan=path)
    assert (report.status, report.resumed) == (Status.COMPLETED, True)
    assert world.applied() == {"a": {"plan": "planned"}}
    with pytest.raises(GuardStop, match=f"applied already, by run {report.id}") as refused:
        world.run(plan=path)
    assert refused.value.code == "PLAN_STALE"


def test_a_plan_that_cannot_be_written_is_a_mistake_of_the_caller(world: World) -> None:
    world.rows(("a", "x"))
    with world.project() as project, pytest.raises(RowliftError) as refused:
        project.plan("people", world.folder / "rowlift.yml" / "people.plan")
    assert refused.value.code != "INTERNAL"


# files of the state that are gone or spoiled


def test_a_missing_state_file_is_named_as_damage(world: World) -> None:
    world.rows(("a", "x"))
    world.run()
    for path in (world.folder / ".rowlift" / "files").glob("*/image_base*"):
        path.unlink()
    with pytest.raises(StateError) as damaged:
        world.run()
    assert damaged.value.code == "STATE_DAMAGED"


def test_a_spoiled_state_file_is_named_as_damage(world: World) -> None:
    world.rows(("a", "x"))
    world.run()
    for path in (world.folder / ".rowlift" / "files").glob("*/image_base*"):
        path.write_bytes(b"spoiled")
    with pytest.raises(StateError) as damaged:
        world.run()
    assert damaged.value.code == "STATE_DAMAGED"


def test_nothing_of_a_finished_run_stays_behind(world: World) -> None:
    world.sync["workspace"] = "write"
    world.rows(("a", "x"))
    world.run()
    kept = {path.name.split("-")[0] for path in (world.folder / ".rowlift/files").glob("*/*")}
    assert kept == {"image_base", "ledger_base"}


# names and uids


def _uids(store: Store, **declared: str | None) -> dict[str, str]:
    workspace = store.definitions.workspace("acme", {})
    bodies = {
        name: Declared("body", renamed_from=renamed_from) for name, renamed_from in declared.items()
    }
    return store.definitions.apply(workspace, "sync", bodies)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "state")
    yield opened
    opened.close()


def test_a_rename_to_the_name_of_something_archived_keeps_the_uid(store: Store) -> None:
    before = _uids(store, people=None, customers=None)
    assert _uids(store, people=None) == {"people": before["people"]}
    assert _uids(store, customers="people") == {"customers": before["people"]}
    assert _uids(store, customers="people") == {"customers": before["people"]}


def test_two_names_never_share_a_uid(store: Store) -> None:
    before = _uids(store, a=None, b=None)
    chained = _uids(store, b="a", c="b")
    assert len(set(chained.values())) == 2
    assert chained["b"] == before["b"]
    assert _uids(store, b="a", c="b") == chained


# two processes at once


def test_a_reset_is_refused_while_a_run_is_open(world: World) -> None:
    world.rows(("a", "x"))
    world.run()
    with world.project() as project, world.project() as other:
        home = project._home  # noqa: SLF001 - a run held open by another part of this process
        run = home.store.runs.open(home.workspace_id, home.syncs["people"], "{}")
        with home.store.runs.lease(run), pytest.raises(Busy):
            other.reset("people")
        assert other.state("people")["image"]["present"] == 1


def test_a_reset_leaves_no_plan_of_an_interrupted_delivery(world: World) -> None:
    world.rows(("a", "x"))
    _break_at(world, "fake.before_send:1")
    with world.project() as project:
        project.reset("people")
        project.run(["people"])
        counts = project.runs()[-1].deliveries[0].counts
    assert (counts["due"], counts["pending"]) == (1, 1)
    assert not list((world.folder / ".rowlift" / "files").glob("*/plan-*"))
    assert world.applied() == {"a": {"plan": "x"}}
