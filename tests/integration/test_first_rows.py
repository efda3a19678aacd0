"""A sync tried with the first rows of its query: these go the whole way, and all else waits."""

from pathlib import Path

import pytest

from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Status
from world import World

TWELVE = [(f"u{number:02}", f"u{number:02}@example.com") for number in range(12)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "acme", ("user_id", "email"))
    made.sync["workspace"] = "write"
    made.rows(*TWELVE)
    return made


def test_first_rows_go_the_whole_way_and_the_rest_with_the_next_run(world: World) -> None:
    tried = world.run(first_rows=10)
    assert (tried.outcome, tried.first_rows, tried.counts["added"]) == (Status.COMPLETED, 10, 10)
    assert tried.counts["workspace"]["create"] == 10
    assert (len(world.applied()), tried.last_sync_time) == (10, 0)
    with world.project() as project:
        why = project.glance.facts(tried.id).why_not
    assert why == "The run tried the first rows of the query only."
    whole = world.run()
    assert (whole.counts["added"], whole.counts["unchanged"]) == (2, 10)
    assert (len(world.applied()), len(world.sent())) == (12, 12)
    assert whole.last_sync_time > 0


def test_what_first_rows_lack_did_not_leave(world: World) -> None:
    world.sync["removed"] = world.use["removed"] = "delete"
    before = world.run()
    world.rows(*[(who, "new@example.com") for who, _ in TWELVE[3:4]], *TWELVE[4:])
    tried = world.run(first_rows=2)
    assert (tried.counts["changed"], tried.counts["removed"]) == (1, 0)
    assert (len(world.applied()), tried.last_sync_time) == (12, before.last_sync_time)
    assert world.run().counts["removed"] == 3
    assert world.applied().keys() == {who for who, _ in TWELVE[3:]}


def test_first_rows_that_break_a_rule_are_neither_held_nor_lost(world: World) -> None:
    world.sync |= {"cursor": "held_rows", "sql": world.sync["sql"] + " WHERE {{last_sync_time}}=0"}
    world.rows(("bad", "no address"), *TWELVE)
    tried = world.run(first_rows=3)
    counts = tried.counts
    assert (counts["rejected"] + counts["workspace"].get("rejected", 0), counts["held"]) == (1, 0)
    whole = world.run()
    assert (whole.counts["read"], whole.counts["held"]) == (13, 1)
    assert len(world.applied()) == 12


def test_relationships_are_not_tried(world: World) -> None:
    sql = "SELECT user_id, 'acme' AS object_id FROM people"
    world.sync["relationships"] = {"sql": sql, "identify_by": "user_id"}
    assert "relationships" not in world.run(first_rows=2).counts
    assert world.run().counts["relationships"]["added"] == 12


def test_a_plan_of_first_rows_is_done_exactly_once(world: World, tmp_path: Path) -> None:
    out = tmp_path / "people.plan"
    with world.project() as project:
        plan = project.plan("people", out, first_rows=2)
        assert (plan.counts["added"], plan.targets["crm"]["due"], plan.first_rows) == (2, 2, 2)
        assert [one["key"] for one in plan.samples] == ["u00", "u01"]
        world.rows(("other", "other@example.com"))
        (run,) = project.run(plan=out)
        assert (run.first_rows, run.last_sync_time) == (2, 0)
        with pytest.raises(GuardStop, match="applied already"):
            project.run(plan=out)
    assert world.applied().keys() == {"u00", "u01"}
