"""Rows that failed under an incremental query are held, judged again, and never lost."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Status
from rowlift.operations.reports import RunReport
from world import World

OLD, NEW = 1, 9_999_999_999  # seen only while last_sync_time is 0; seen by each run
BAD = "not an address"
GOOD = "b@example.com"
PARTS = ("unchanged", "added", "changed", "returned", "rejected")


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "acme", columns=("user_id", "plan", "email", "seen"))
    world.sync |= {
        "cursor": "held_rows",
        "sql": "SELECT user_id, plan, email FROM people WHERE seen::BIGINT > {{last_sync_time}}",
    }
    return world


def counted(report: RunReport, *names: str) -> tuple[int, ...]:
    counts = report.counts
    assert counts["read"] + counts["retried"] == sum(counts[part] for part in PARTS)
    return tuple(counts[name] for name in names)


def failed(world: World, report: RunReport) -> Sequence[tuple[object, ...]]:
    with world.project() as project:
        return [
            (one["identifier"], one["code"], one["row_number"])
            for one in project.rejects(report.id)
        ]


def allow(world: World) -> None:
    """Leave held rows that break no rule, as a release with stricter rules would have."""
    for path in (world.folder / ".rowlift" / "files").glob("*/held-*.parquet"):
        table = pq.ParquetFile(path).read()
        at = table.schema.get_field_index("email")
        good = pa.array([GOOD] * len(table), table.schema.field(at).type)
        pq.write_table(table.set_column(at, table.schema.field(at), good), path)


@pytest.mark.door("python")
def test_C3_the_cursor_moves_past_a_bad_row_which_is_judged_again(world: World) -> None:
    world.rows(("a", "free", "a@example.com", OLD), ("b", "pro", BAD, OLD))
    first = world.run()
    assert counted(first, "read", "added", "rejected", "held") == (2, 1, 1, 1)
    assert first.last_sync_time > 0
    again = world.run()
    assert counted(again, "read", "retried", "rejected", "held") == (0, 1, 1, 1)
    assert again.status is Status.SOME_ROWS_FAILED
    assert failed(world, again) == [("b", "EMAIL_INVALID", None)]
    world.rows(("a", "free", "a@example.com", OLD), ("b", "team", GOOD, NEW))
    with world.project() as project:
        (mended,) = project.run(["people"])
    assert counted(mended, "read", "retried", "added", "held") == (1, 0, 1, 0)
    assert mended.status is Status.COMPLETED
    assert world.applied()["b"] == {"plan": "team", "email": GOOD}


@pytest.mark.door("python")
def test_C3_a_held_row_goes_by_itself_once_the_rules_allow_it(world: World) -> None:
    world.rows(("a", "free", "a@example.com", OLD), ("b", "pro", BAD, OLD))
    world.run()
    allow(world)
    with world.project() as project:
        (report,) = project.run(["people"])
    assert counted(report, "read", "retried", "added", "rejected", "held") == (0, 1, 1, 0, 0)
    assert report.status is Status.COMPLETED
    assert world.applied()["b"] == {"plan": "pro", "email": GOOD}


def test_the_newest_values_of_a_key_are_held(world: World) -> None:
    world.rows(("b", "pro", BAD, OLD), ("c", "free", BAD, OLD), *_good(8))
    world.run()
    world.rows(("b", "team", BAD, NEW), *_good(8))
    report = world.run()
    assert counted(report, "read", "retried", "rejected", "held") == (1, 1, 2, 2)
    allow(world)
    world.rows(*_good(8))
    assert counted(world.run(), "retried", "added", "held") == (2, 2, 0)
    assert [world.applied()[key]["plan"] for key in "bc"] == ["team", "free"]


def test_rows_of_several_shapes_are_held_each_in_its_own(world: World) -> None:
    world.rows(("b", "pro", BAD, OLD), *_good(8))
    world.run()
    world.sync["sql"] = (
        "SELECT user_id, email, seen FROM people WHERE seen::BIGINT > {{last_sync_time}}"
    )
    world.rows(("c", "pro", BAD, NEW), ("d", "pro", BAD, NEW), *_good(8, NEW))
    assert counted(world.run(), "retried", "rejected", "held") == (1, 3, 3)
    allow(world)
    world.rows(*_good(8))
    assert counted(world.run(), "retried", "added", "held") == (3, 3, 0)
    assert world.applied()["b"] == {"plan": "pro", "email": GOOD}
    assert set(world.applied()["c"]) == {"email", "seen"}


def test_both_rows_of_a_key_that_came_twice_are_held(world: World) -> None:
    world.rows(("b", "pro", GOOD, OLD), ("b", "team", GOOD, OLD), *_good(8))
    world.run()
    again = world.run()
    assert counted(again, "read", "retried", "held") == (0, 2, 2)
    world.rows(("b", "team", GOOD, NEW))
    assert counted(world.run(), "retried", "added", "held") == (0, 1, 0)


def test_the_cursor_waits_for_rows_without_a_usable_identifier(world: World) -> None:
    unusable = [(key, "pro", GOOD, OLD) for key in ("", '" "', "k" * 501)]
    world.rows(*unusable, ("c", "pro", BAD, OLD), *_good(8))
    for _ in range(2):
        report = world.run()
        assert counted(report, "read", "retried", "rejected", "held") == (12, 0, 4, 1)
        assert report.last_sync_time == 0
    world.rows(("c", "pro", BAD, OLD), *_good(8))
    assert world.run().last_sync_time > 0


def test_a_full_result_takes_the_place_of_what_was_held(world: World) -> None:
    world.rows(("b", "pro", BAD, OLD), ("c", "pro", BAD, OLD), *_good(8))
    world.run()
    world.sync["sql"] = "SELECT user_id, plan, email FROM people"
    world.rows(("c", "pro", BAD, OLD), *_good(8))
    assert counted(world.run(), "read", "retried", "rejected", "held") == (9, 0, 1, 1)
    world.sync["sql"] += " WHERE seen::BIGINT > {{last_sync_time}}"
    assert counted(world.run(), "read", "retried", "rejected", "held") == (0, 1, 1, 1)


def test_another_identifier_is_told_by_its_name_while_rows_without_it_are_held(
    world: World,
) -> None:
    world.rows(("a", "free", "a@example.com", OLD), ("b", "pro", BAD, OLD))
    world.run()
    world.sync |= {
        "identify_by": "email",
        "sql": "SELECT plan, email FROM people WHERE seen::BIGINT > {{last_sync_time}}",
    }
    world.use |= {"match": "email"}
    with pytest.raises(GuardStop, match="KEY_CHANGED"):
        world.run()


def test_what_is_held_goes_with_a_reset(world: World) -> None:
    world.rows(("b", "pro", BAD, OLD), *_good(8))
    world.run()
    with world.project() as project:
        project.reset("people")
    world.rows(*_good(8))
    assert counted(world.run(), "retried", "rejected", "held") == (0, 0, 0)


def test_the_strict_cursor_moves_past_what_is_held_already(world: World) -> None:
    world.rows(("b", "pro", BAD, OLD), *_good(8))
    world.run()
    world.sync["cursor"] = "strict"
    world.rows(("c", "pro", BAD, NEW))
    before = world.run(allow_removals=True)
    assert counted(before, "rejected", "held") == (2, 1)
    world.rows(*_good(8))
    after = world.run()
    assert counted(after, "retried", "rejected", "held") == (1, 1, 1)
    assert after.last_sync_time >= before.last_sync_time > 0


def test_a_row_that_the_workspace_rejected_is_tried_again_without_being_read(world: World) -> None:
    world.sync["workspace"] = "write"
    world.rows(("a", "free", GOOD, OLD))
    world.run()
    world.rows(("b", "pro", GOOD, NEW))
    taken = world.run()
    assert taken.counts["workspace"]["codes"] == {"EMAIL_TAKEN": 1}
    world.rows(*_good(8))
    assert world.run().counts["workspace"]["codes"] == {"EMAIL_TAKEN": 1}


def _good(count: int, at: int = OLD) -> list[tuple[object, ...]]:
    return [(f"g{n}", "free", None, at) for n in range(count)]
