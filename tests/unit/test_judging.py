"""What the end of a run or delivery says, by the rules and by what is usual."""

from dataclasses import replace

import pytest

from rowlift.core.alerts import AlertRule, Notice, message_of
from rowlift.core.nouns import Status
from rowlift.core.specs import AlertSpec
from rowlift.operations.judging import of_run
from rowlift.project.alerts import rules_of
from rowlift.state.runs import Run

USUAL = Run(
    id=9, workspace_id=1, sync_uid="s", spec="{}", status=Status.COMPLETED, phase="over",
    generation=1, owner="", lease_until=0, active=None, source_time=1, image_revision=1,
    created_at=1000, finished_at=1040, counts={"read": 100},
)  # fmt: skip
PAST = [replace(USUAL, id=number) for number in range(8, 2, -1)]


def broken(run, past=PAST, **rules):
    found = list(of_run(run, rules_of({}, rules), past))
    assert len({one.rule for one in found}) == len(found)
    return {one.rule for one in found if one.wrong}


@pytest.mark.parametrize(
    ("seconds", "rules", "wrong"),
    [
        (121, {"slower": 3}, {"slower"}),
        (119, {"slower": 3}, set()),
        (99, {"slower": 1.1}, set()),  # slower, but not by a minute
        (101, {"slower": 1.1}, {"slower"}),
        (10_000, {}, set()),
        (10_000, {"slower": "off"}, set()),
        (-3600, {"slower": 3}, set()),  # the clock was put back meanwhile
    ],
)
def test_slower_is_so_many_times_the_usual_and_a_minute(seconds, rules, wrong):
    assert broken(replace(USUAL, finished_at=1000 + seconds), **rules) == wrong


@pytest.mark.parametrize(
    ("rows", "rules", "wrong"),
    [
        (49, {"count_off": "50%"}, {"count_off"}),
        (50, {"count_off": "50%"}, set()),
        (151, {"count_off": "50%"}, {"count_off"}),
        (0, {"count_off": "100%"}, set()),
        (1, {"count_off": "off"}, set()),
        (1, {}, set()),
    ],
)
def test_a_count_is_off_by_a_share_of_the_usual(rows, rules, wrong):
    assert broken(replace(USUAL, counts={"read": rows}), **rules) == wrong


def test_before_five_runs_nothing_is_usual_and_failed_ones_tell_nothing():
    run = replace(USUAL, finished_at=9000, counts={"read": 1})
    rules = {"slower": 2, "count_off": "10%"}
    failed = [replace(one, status=Status.FAILED) for one in PAST]
    assert broken(run, PAST[:4], **rules) == set()
    assert broken(run, [*PAST[:4], *failed], **rules) == set()
    assert broken(run, PAST[:5], **rules) == {"slower", "count_off"}


@pytest.mark.parametrize(
    ("status", "code", "wrong"),
    [
        (Status.FAILED, "QUERY_FAILED", {"failure"}),
        (Status.STOPPED, "TOO_MANY_REMOVALS", {"guard_stop"}),
        (Status.SKIPPED, "SLOTS_MISSED", {"missed_slot"}),
        (Status.SKIPPED, "BUSY", set()),
        (Status.CANCELLED, "CANCELLED", set()),
    ],
)
def test_how_a_run_ended_breaks_one_rule_which_can_be_off(status, code, wrong):
    run = replace(USUAL, status=status, reason_code=code, reason="x")
    assert broken(run) == wrong
    assert broken(run, failure=False, guard_stop=False, missed_slot=False) == set()


@pytest.mark.parametrize(
    ("most", "wrong"),
    [(0, True), (2, True), (3, False), ("2.9%", True), ("3%", False), ("off", False)],
)
def test_rows_of_both_queries_count_as_failed(most, wrong):
    counts = {"read": 100, "rejected": 1, "workspace": {"rejected": 1, "codes": {}}}
    counts |= {"relationships": {"read": 5, "rejected": 1}, "codes": {"ID_NULL": 1}}
    run = replace(USUAL, status=Status.SOME_ROWS_FAILED, counts=counts)
    assert broken(run, rows_failed=most) == ({"rows_failed"} if wrong else set())


def test_a_sync_goes_before_its_project():
    assert rules_of({}, {}) == AlertSpec()
    rules = rules_of({"to": ["a"], "late": False, "slower": 2}, {"to": [], "slower": "off"})
    assert rules == AlertSpec(to=(), late=False, slower=None)


def notice(number, **given):
    told = Notice(AlertRule.FAILURE, f"s{number}", "", 1, "X", "failed", recovered=False, at=1.0)
    return replace(told, **given)


def test_a_message_tells_of_each_thing_how_it_began_and_how_it_is():
    flapping = [notice(1, run=run, recovered=run % 2 == 1) for run in range(6)]
    message = message_of("id", "acme", 1.0, [*flapping, notice(2, recovered=True)])
    assert [(one.sync, one.run) for one in message.notices] == [("s1", 0), ("s1", 5), ("s2", 1)]
    assert not message.is_good
    assert message.title == "Rowlift acme: 3 alerts"
