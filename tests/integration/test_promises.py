"""What a delivery promises, through the Python door, against the sandbox destination."""

import json
import random
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rowlift
from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Status
from rowlift.core.progress import Silent
from rowlift.state.tables import images
from world import World

ALMOST_ALWAYS = 0.999999999


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "acme")


def test_first_run_sends_everything_and_the_second_nothing(world: World) -> None:
    world.rows(("a", "free"), ("b", "pro"))
    first = world.run()
    assert first.status is Status.COMPLETED
    assert first.deliveries[0].counts["delivered"] == 2
    second = world.run()
    assert second.counts["unchanged"] == 2
    assert second.deliveries[0].counts["due"] == 0
    assert world.applied() == {"a": {"plan": "free"}, "b": {"plan": "pro"}}
    assert len(world.sent()) == 2


@pytest.mark.door("python")
def test_A15_only_changed_rows_are_sent_to_each_destination(world: World) -> None:
    world.rows(("a", "free"), ("b", "pro"))
    with world.project() as project:
        project.run(["people"])
    world.rows(("a", "free"), ("b", "team"), ("c", "free"))
    with world.project() as project:
        report = project.run(["people"])[0]
    assert {name: report.counts[name] for name in ("added", "changed", "unchanged")} == {
        "added": 1, "changed": 1, "unchanged": 1,
    }  # fmt: skip
    assert [message["key"]["user_id"] for message in world.sent()[2:]] == ["b", "c"]


def test_T1_a_value_that_comes_back_is_sent_with_an_id_of_its_own(world: World) -> None:
    for plan in ("A", "B", "A"):
        world.rows(("a", plan))
        world.run()
    ids = [message["message_id"] for message in world.sent()]
    assert len(set(ids)) == 3
    assert world.applied() == {"a": {"plan": "A"}}


def test_T2_a_lost_reply_and_a_source_that_reverts_still_converge(world: World) -> None:
    world.rows(("a", "A"))
    world.run()
    world.rows(("a", "B"))
    world.crm["lost_replies"] = ALMOST_ALWAYS
    lost = world.run()
    assert lost.status is Status.COMPLETED
    assert lost.deliveries[0].counts["in_doubt"] == 1
    assert world.applied() == {"a": {"plan": "B"}}
    world.rows(("a", "A"))
    world.crm["lost_replies"] = 0
    world.run()
    assert world.applied() == {"a": {"plan": "A"}}
    assert world.run().deliveries[0].counts["due"] == 0


def test_T2_an_unacknowledged_row_that_vanished_is_deleted(world: World) -> None:
    world.use["removed"] = world.sync["removed"] = "delete"
    world.crm["lost_replies"] = ALMOST_ALWAYS
    world.rows(("a", "A"), ("b", "B"))
    world.run()
    world.crm["lost_replies"] = 0
    world.rows(("b", "B"))
    world.run()
    assert world.applied() == {"b": {"plan": "B"}}


def test_a_row_in_doubt_is_sent_once_more_when_it_left_and_leavers_are_kept(world: World) -> None:
    world.crm["lost_replies"] = ALMOST_ALWAYS
    world.rows(("a", "A"), ("b", "B"))
    world.run()
    before = len(world.sent())
    world.crm["lost_replies"] = 0
    world.rows(("b", "B"))
    report = world.run()
    assert report.deliveries[0].counts["delivered"] == 2
    assert len(world.sent()) == before + 2
    assert world.applied() == {"a": {"plan": "A"}, "b": {"plan": "B"}}
    assert world.run().deliveries[0].counts["due"] == 0


def test_T6_an_incremental_query_removes_nothing(world: World) -> None:
    world.sync["sql"] += " WHERE plan <> 'old' OR {{last_sync_time}} = 0"
    world.use["removed"] = world.sync["removed"] = "delete"
    world.rows(("a", "old"), ("b", "new"))
    world.run()
    report = world.run()
    assert report.counts["read"] == 1
    assert report.counts["removed"] == 0
    assert set(world.applied()) == {"a", "b"}


def test_T6_a_limit_removes_nothing(world: World) -> None:
    world.use["removed"] = world.sync["removed"] = "delete"
    world.rows(("a", "x"), ("b", "x"))
    world.run()
    world.sync["sql"] += " ORDER BY user_id LIMIT 1"
    assert world.run().counts["removed"] == 0
    assert set(world.applied()) == {"a", "b"}


def test_an_incremental_query_never_forgets_an_undelivered_row(world: World) -> None:
    world.sync["sql"] += " WHERE plan = 'fresh' OR {{last_sync_time}} = 0"
    world.crm["unavailable"] = ALMOST_ALWAYS
    world.rows(("a", "x"), ("b", "x"))
    down = world.run()
    assert down.status is Status.COMPLETED
    assert down.deliveries[0].status is Status.FAILED
    assert down.deliveries[0].reason_code == "UNAVAILABLE"
    world.crm["unavailable"] = 0
    assert world.run().counts["read"] == 0
    assert set(world.applied()) == {"a", "b"}


def test_a_destination_added_later_gets_the_whole_image(world: World) -> None:
    world.sync["sql"] += " WHERE {{last_sync_time}} = 0"
    world.rows(("a", "x"), ("b", "y"))
    world.run()
    world.others["mail"] = {}
    world.uses.append({"use": "mail", "match": "user_id"})
    report = world.run()
    assert report.counts["read"] == 0
    assert world.applied("mail") == {"a": {"plan": "x"}, "b": {"plan": "y"}}


def test_T13_a_rejected_row_is_tried_again_in_its_newest_version(world: World) -> None:
    world.crm["reject"] = ["b"]
    world.rows(("a", "x"), ("b", "x"))
    report = world.run()
    assert report.deliveries[0].status is Status.SOME_ROWS_FAILED
    assert report.deliveries[0].counts["rejected"] == 1
    world.rows(("a", "x"), ("b", "y"))
    world.run()
    world.crm["reject"] = []
    world.run()
    assert world.applied()["b"] == {"plan": "y"}
    assert [m["attributes"] for m in world.sent() if m["key"]["user_id"] == "b"] == [{"plan": "y"}]


@pytest.mark.parametrize(("removed", "left"), [("keep", {"a", "b"}), ("delete", {"b"})])
def test_a_row_that_left_is_kept_or_deleted(world: World, removed: str, left: set[str]) -> None:
    world.use["removed"] = removed
    world.rows(("a", "x"), ("b", "x"))
    world.run()
    world.rows(("b", "x"))
    world.run()
    assert set(world.applied()) == left
    assert world.run().deliveries[0].counts["due"] == 0


def test_a_row_that_left_is_cleared(world: World) -> None:
    world.use["removed"] = "clear"
    world.rows(("a", "x"), ("b", "x"))
    world.run()
    world.rows(("b", "x"))
    world.run()
    last = world.sent()[-1]
    assert (last["op"], last["key"]["user_id"], last["attributes"]) == (
        "clear",
        "a",
        {"plan": None},
    )


def test_a_row_that_returns_is_sent_again(world: World) -> None:
    world.use["removed"] = "delete"
    world.rows(("a", "x"), ("b", "x"))
    world.run()
    world.rows(("b", "x"))
    world.run()
    world.rows(("a", "x"), ("b", "x"))
    assert world.run().counts["returned"] == 1
    assert set(world.applied()) == {"a", "b"}


def test_editing_the_mapping_sends_only_what_looks_different(world: World) -> None:
    world.columns = ("user_id", "plan", "city")
    world.sync["sql"] = "SELECT user_id, plan, city FROM people"
    world.use["only"] = ["plan"]
    world.rows(("a", "x", "Bonn"), ("b", "x", None))
    world.run()
    assert world.applied() == {"a": {"plan": "x"}, "b": {"plan": "x"}}
    world.rows(("a", "x", "Rome"), ("b", "x", None))
    assert world.run().deliveries[0].counts["due"] == 0
    world.use["only"] = ["plan", "city"]
    world.use["fields"] = {"city": "home"}
    report = world.run()
    assert report.deliveries[0].counts["due"] == 1
    assert world.applied()["a"] == {"plan": "x", "home": "Rome"}


class Editor(Silent):
    """Edits a sync as soon as a run of it judges what it has read."""

    def __init__(self, world: World) -> None:
        self._world = world

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        if phase == "validate":
            self._world.sync["sql"] = "SELECT user_id, plan FROM people WHERE user_id <> 'b'"
            self._world.sync["removed"] = "delete"
            self._world.save()


def test_T14_an_edit_in_mid_run_waits_for_the_next_one(world: World) -> None:
    world.rows(("a", "x"), ("b", "x"))
    world.save()
    with rowlift.Project(world.folder, env=world.env, progress=Editor(world)) as project:
        (report,) = project.run(["people"])
        assert (report.counts["added"], report.status) == (2, Status.COMPLETED)
        assert world.applied() == {"a": {"plan": "x"}, "b": {"plan": "x"}}
        assert project.runs()[0].counts["read"] == 2
    assert world.run(allow_removals=True).counts["removed"] == 1
    assert world.applied().keys() == {"a"}


def test_T21_the_rule_for_empty_values_is_part_of_what_is_compared(world: World) -> None:
    world.sync["empty_values"] = "ignore"
    world.rows(("a", None), ("b", "x"))
    world.run()
    world.sync["empty_values"] = "delete"
    report = world.run()
    assert report.counts["changed"] == 1
    assert world.applied()["a"] == {"plan": None}


@pytest.mark.door("python")
def test_C4_an_emptied_result_stops_before_anything_is_removed(world: World) -> None:
    world.use["removed"] = "delete"
    world.rows(("a", "x"), ("b", "x"))
    with world.project() as project:
        project.run(["people"])
        world.rows()
        with pytest.raises(GuardStop) as stopped:
            project.run(["people"])
    assert stopped.value.code == "EMPTIED"
    assert set(world.applied()) == {"a", "b"}
    world.run(allow_removals=True)
    assert world.applied() == {}


@pytest.mark.door("python")
def test_C4_a_mass_removal_stops(world: World) -> None:
    world.rows(*((f"k{n}", "x") for n in range(300)))
    with world.project() as project:
        project.run(["people"])
        world.rows(*((f"k{n}", "x") for n in range(150)))
        with pytest.raises(GuardStop) as stopped:
            project.run(["people"])
        assert stopped.value.code == "MASS_REMOVAL"
        assert project.runs(limit=1)[0].status is Status.STOPPED
        world.rows(*((f"k{n}", "x") for n in range(200)))
        assert project.run(["people"])[0].counts["removed"] == 100


def test_a_rejected_row_is_not_a_removed_row(world: World) -> None:
    world.use["removed"] = "delete"
    world.rows(("a", "x"), ("b", "x"))
    world.run()
    world.rows(("a", "x"), ("a", "y"), ("b", "x"))
    report = world.run()
    assert report.counts["rejected"] == 2
    assert report.counts["removed"] == 0
    assert set(world.applied()) == {"a", "b"}


def test_a_changed_key_column_stops(world: World) -> None:
    world.columns = ("user_id", "email", "plan")
    world.sync["sql"] = "SELECT user_id, email, plan FROM people"
    world.rows(("a", "a@example.com", "x"))
    world.run()
    world.sync["identify_by"] = "email"
    world.use["match"] = "email"
    with pytest.raises(GuardStop) as stopped:
        world.run()
    assert stopped.value.code == "KEY_CHANGED"


def test_another_account_under_the_same_name_stops_that_destination(world: World) -> None:
    world.rows(("a", "x"))
    world.run()
    world.crm["account"] = "somebody else's"
    world.rows(("a", "y"))
    report = world.run()
    assert report.status is Status.COMPLETED
    assert report.deliveries[0].status is Status.FAILED
    assert report.deliveries[0].reason_code == "ACCOUNT_CHANGED"
    assert world.applied() == {"a": {"plan": "x"}}


def test_a_reset_sends_everything_with_new_ids(world: World) -> None:
    world.rows(("a", "x"), ("b", "x"))
    world.run()
    with world.project() as project:
        project.reset("people")
    world.run()
    ids = [message["message_id"] for message in world.sent()]
    assert len(ids) == len(set(ids)) == 4


def test_a_rename_keeps_what_was_sent(world: World) -> None:
    world.rows(("a", "x"))
    world.run()
    world.sync |= {"sync": "customers", "renamed_from": "people"}
    with world.project() as project:
        report = project.run(["customers"])[0]
    assert report.deliveries[0].counts["due"] == 0


@pytest.mark.door("python")
def test_B20_a_second_run_is_skipped_and_says_which_blocked_it(world: World) -> None:
    world.rows(("a", "x"))
    world.run()
    with world.project() as project:
        home = project._home  # noqa: SLF001 - a run held open by another part of this process
        run = home.store.runs.open(home.workspace_id, home.syncs["people"], "{}")
        with home.store.runs.lease(run), pytest.raises(Exception, match="still running") as busy:
            project.run(["people"])
        assert busy.value.code == "BUSY"
        skipped = project.runs(limit=1)[0]
        assert skipped.status is Status.SKIPPED
        assert str(run.id) in skipped.reason


def test_retry_sends_what_was_rejected(world: World) -> None:
    world.crm["reject"] = ["b"]
    world.rows(("a", "x"), ("b", "x"))
    report = world.run()
    with world.project() as project:
        assert [one["identifier"] for one in project.rejects(report.id)] == ["b"]
    world.crm["reject"] = []
    with world.project() as project:
        again = project.retry(report.id)
    assert again.deliveries[0].counts["delivered"] == 1
    assert set(world.applied()) == {"a", "b"}


@pytest.mark.door("python")
def test_C2_a_plan_says_exactly_what_its_run_does(world: World) -> None:
    world.rows(("a", "x"), ("b", "x"))
    world.run()
    world.use["removed"] = "delete"
    world.rows(("b", "y"), ("c", "x"))
    path = world.folder / "people.plan"
    with world.project() as project:
        plan = project.plan("people", path)
        assert {name: plan.counts[name] for name in ("added", "changed", "removed")} == {
            "added": 1, "changed": 1, "removed": 1,
        }  # fmt: skip
        assert plan.targets["crm"]["delete"] == 1
        assert plan.targets["crm"]["upsert"] == 2
        before = len(world.sent())
        world.rows(("z", "never planned"))
        report = project.run(plan=path)[0]
    assert report.deliveries[0].counts["delivered"] == len(world.sent()) - before == 3
    assert world.applied() == {"b": {"plan": "y"}, "c": {"plan": "x"}}


@pytest.mark.door("python")
def test_C2_a_plan_is_refused_when_something_moved(world: World) -> None:
    world.rows(("a", "x"))
    path = world.folder / "people.plan"
    with world.project() as project:
        project.plan("people", path)
        project.run(["people"])
        with pytest.raises(GuardStop) as stopped:
            project.run(plan=path)
    assert stopped.value.code == "PLAN_STALE"
    assert "image" in stopped.value.message


def test_T10_an_upgrade_of_the_canonical_form_sends_nothing(world: World) -> None:
    world.columns = ("user_id", "plan", "city")
    world.sync["sql"] = "SELECT user_id, plan, city FROM people"
    world.rows(("a", "x", "Bonn"), ("b", "y", "Rome"))
    world.run()
    with world.project() as project:
        store = project._home.store  # noqa: SLF001 - the state of an older release is made by hand
        (base,) = store.files.live(["image_base"], project._home.syncs["people"])  # noqa: SLF001
        table = pq.read_table(base.path)
        older = [json.dumps(json.loads(text)) for text in table["attributes"].to_pylist()]
        prints = [(one + 1) % 2**64 for one in table["fp"].to_pylist()]  # another hash function
        unknown = pa.array([0] * len(older), pa.uint64())
        aged = {"attributes": pa.array(older), "fp": pa.array(prints, pa.uint64()), "raw": unknown}
        for name, values in aged.items():
            at = table.schema.get_field_index(name)
            table = table.set_column(at, name, values)
        pq.write_table(table, base.path)
        with store.database.transaction("test") as connection:
            connection.execute(images.update().values(form=""))
    before = len(world.sent())
    world.rows(("a", "x", "Bonn"), ("b", "z", "Rome"))
    report = world.run()
    assert (report.counts["unchanged"], report.counts["changed"]) == (1, 1)
    assert [one["key"]["user_id"] for one in world.sent()[before:]] == ["b"]
    again = world.run()
    assert again.counts["unchanged"] == 2
    assert again.deliveries[0].counts["due"] == 0


def test_T24_after_a_restore_no_message_id_is_used_twice(world: World) -> None:
    world.rows(("a", "free"))
    world.run()
    backup = world.folder.parent / "backup"
    shutil.copytree(world.folder / ".rowlift", backup)
    world.rows(("a", "pro"))
    world.run()
    shutil.rmtree(world.folder / ".rowlift")
    shutil.copytree(backup, world.folder / ".rowlift")
    world.rows(("a", "team"))
    world.run()
    ids = [message["message_id"] for message in world.sent()]
    assert len(ids) == len(set(ids)) == 3
    assert world.applied() == {"a": {"plan": "team"}}


def test_wide_rows_are_held_a_few_at_a_time(world: World) -> None:
    del world.sync["workspace"]  # into the workspace as well
    world.crm["batch_rows"] = 200
    chance = random.Random(28)
    rows = [(f"k{at}", chance.randbytes(14_000).hex()) for at in range(1700)]
    world.rows(*rows)
    report = world.run()
    assert (report.status, report.deliveries[0].status) == (Status.COMPLETED, Status.COMPLETED)
    assert world.applied() == {key: {"plan": text} for key, text in rows}
