"""The service: slots, requests, cancels and deliveries, also over the deaths of its process."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

import rowlift
from crashes.child import KILLED
from doors.forks import forked, started
from rowlift.core.errors import Busy, GuardStop, RowliftError
from rowlift.core.nouns import Status
from rowlift.core.progress import Silent
from rowlift.engine import deliver
from rowlift.testing.clock import QuickClock
from rowlift.testing.misbehaviour import silent
from rowlift.testing.sink import Sink
from served import SECONDS, Gate, serve_and_die, served, until
from world import World

ENDLESS = (
    "SELECT i::VARCHAR AS user_id, count(*) AS plan "
    "FROM range(100000000) a(i), range(100000000) b(j) WHERE (i * j) % 7 = 3 GROUP BY 1"
)
IN_ONE_CALL = (
    "SELECT levenshtein(repeat('a', 2000000), repeat('b', 2000000))::VARCHAR AS user_id, 1 AS plan"
)


@pytest.fixture
def world(tmp_path, state_url):
    """A sync whose next slot came an hour ago, and the one after it comes in a year."""
    made = World(tmp_path / "acme")
    made.env["ROWLIFT_STATE_URL"] = state_url
    made.rows(("1", "free"), ("2", "team"), ("3", "team"), ("4", "free"))
    start = datetime.now(UTC) - timedelta(hours=1)
    made.sync["schedule"] = {"every": "366d", "start_at": start.isoformat(timespec="minutes")}
    return made


def project_of(world):
    """The project under the machine's own clock."""
    world.save()
    return rowlift.Project(world.folder, env=world.env)


def runs_of(world):
    with project_of(world) as project:
        return project.runs()


def executed(world, text):
    engine = sa.create_engine(world.env["ROWLIFT_STATE_URL"])
    with engine.begin() as connection:
        connection.execute(sa.text(text))
    engine.dispose()


@pytest.mark.door("python")
def test_A13_B8_a_slot_that_has_come_is_run_and_delivered_once(world):
    with project_of(world) as project:
        (sync,) = project.ls()
        assert sync.next_slot > time.time()
        assert project.service.status() is None
    for _ in range(2):
        with served(project_of(world)), project_of(world) as project:
            until(lambda: world.applied().keys() == {"1", "2", "3", "4"})
            until(lambda: project.runs()[0].deliveries[0].status is Status.COMPLETED)
            assert project.service.status().is_alive
            with pytest.raises(Busy, match="served already"):
                project.serving().start()
    with project_of(world) as project:
        (run,) = project.runs()
        (sync,) = project.ls()
        assert not project.service.status().is_alive
    assert run.status is Status.COMPLETED
    assert run.scheduled_for == sync.next_slot - 366 * 86_400
    assert len(world.sent()) == 4


@pytest.mark.parametrize(
    "point",
    [
        "service.begin.after_commit:1",
        "schedule.settle.after_commit:1",
        "run.open.before_commit:1",
        "run.open.after_commit:1",
        "run.merge.after_commit:1",
        "delivery.claim.after_commit:1",
        "fake.after_send:1",
    ],
)
def test_T15_a_service_that_dies_anywhere_loses_no_slot_and_repeats_none(world, point):
    world.save()
    code = forked(
        serve_and_die, str(world.folder), world.env, f"{point}:kill", seconds=SECONDS
    )  # fmt: skip
    assert code == KILLED
    with served(project_of(world)), project_of(world) as project:
        until(lambda: [one.status for one in project.runs()] == [Status.COMPLETED])
        until(lambda: project.runs()[0].deliveries[0].status is Status.COMPLETED)
        (run,) = project.runs()
    assert run.scheduled_for
    assert len(world.applied()) == 4
    assert len({one["message_id"] for one in world.sent()}) == 4


@pytest.mark.door("python")
def test_B20_a_request_becomes_a_run_and_says_so(world):
    del world.sync["schedule"]
    with project_of(world) as project, pytest.raises(RowliftError, match="SERVICE_DOWN"):
        project.service.trigger(["people"])
    with served(project_of(world)), project_of(world) as project:
        until(project.service.status)
        (asked,) = project.service.trigger(["people"], by="ann")
        assert (asked.sync, asked.asked_by) == ("people", "ann")
        until(lambda: project.service.requests()[0].status is Status.COMPLETED)
        assert project.service.requests()[0].run == project.runs()[0].id
        project.pause("people")
        with pytest.raises(GuardStop, match="PAUSED"):
            project.service.trigger(["people"])


@pytest.mark.door("python")
@pytest.mark.parametrize("sql", [ENDLESS, IN_ONE_CALL])
def test_F63_a_query_that_runs_is_cancelled_and_the_next_run_goes(world, sql):
    world.sync["sql"] = sql
    with served(project_of(world)), project_of(world) as project:
        until(lambda: [one.phase for one in project.runs()] == ["read"])
        asked = project.service.cancel(1, by="ann")
        began = time.monotonic()
        until(lambda: project.runs()[0].status is Status.CANCELLED)
        assert time.monotonic() - began < SECONDS
        assert "ann" in project.runs()[0].reason
        with pytest.raises(GuardStop, match="RUN_OVER"):
            project.service.cancel(asked.id)
    world.sync["sql"] = "SELECT user_id, plan FROM people"
    assert world.run().counts["added"] == 4


@pytest.mark.door("python")
@pytest.mark.parametrize("sql", [ENDLESS, IN_ONE_CALL])
def test_F26_a_query_that_runs_is_stopped_when_the_service_ends_and_asked_again(world, sql):
    world.sync["sql"] = sql
    with project_of(world) as project:
        with served(project_of(world)):
            until(lambda: [one.phase for one in project.runs()] == ["read"])
            time.sleep(0.5)  # the query is under way
        (left,) = project.runs()
        assert (left.status, left.phase, left.is_over) == (Status.RUNNING, "read", False)
        with served(project_of(world)):
            until(lambda: project.watch.home.store.runs.get(1).generation > 1)
            project.service.cancel(1)
            until(lambda: project.runs()[0].status is Status.CANCELLED)


@pytest.mark.door("python")
def test_F63_a_sync_that_is_deleted_while_it_runs_ends_and_what_it_imported_stays(world):
    world.sync["workspace"] = "write"
    assert world.run().counts["added"] == 4
    world.sync["sql"] = ENDLESS
    world.save()
    clock = QuickClock()
    with served(rowlift.Project(world.folder, env=world.env, clock=clock)), project_of(world) as on:
        until(lambda: [one.phase for one in on.runs()][:1] == ["read"])
        (world.folder / "syncs" / "people.yml").unlink()
        clock.sleep(10)
        until(lambda: on.runs()[0].status is Status.CANCELLED)
        assert "by the deletion of its sync" in on.runs()[0].reason
    with rowlift.Project(world.folder, env=world.env) as project:
        assert project.ls() == []
        assert len(project.people()) == 4
    assert len(world.applied()) == 4


def test_F63_a_run_that_nobody_carries_any_more_is_cancelled_at_once(world):
    world.save()
    spec = "run.merge.after_commit:1:kill"
    code = forked(serve_and_die, str(world.folder), world.env, spec, seconds=SECONDS)
    assert code == KILLED
    with project_of(world) as project:
        report = project.service.cancel(1)
    assert report.status is Status.CANCELLED
    assert [one.status for one in report.deliveries] == [Status.CANCELLED]
    assert world.run().counts["unchanged"] == 4, "what was merged stays"
    assert len(world.applied()) == 4, "and what was due is delivered"


@pytest.mark.door("python")
def test_C4_what_somebody_allowed_of_a_run_holds_after_a_death_and_if_another_asked_before(world):
    del world.sync["schedule"]
    world.sync["guards"] = {"removals": 0}
    world.run()
    world.rows(("1", "free"), ("2", "team"))
    spec = "run.read.after_commit:1:kill"
    child = started(serve_and_die, str(world.folder), world.env, spec)
    with project_of(world) as project:
        until(lambda: (found := project.service.status()) and found.is_alive)
        project.service.trigger(["people"], allow_removals=True)
        child.join(SECONDS)
        assert child.exitcode == KILLED
    gate = Gate(once=True)
    with (
        served(rowlift.Project(world.folder, env=world.env, progress=gate)),
        project_of(world) as project,
    ):
        with gate.holding():
            world.rows(("1", "free"))
            asked = [*project.service.trigger(["people"])]
            asked += project.service.trigger(["people"], allow_removals=True)
            asked += project.service.trigger(["people"])
            assert len({one.id for one in asked}) == 1
        until(lambda: len(project.runs()) == 3 and project.runs()[0].status is Status.COMPLETED)
        assert [one.counts["removed"] for one in project.runs()] == [1, 2, 0]


def test_a_delivery_that_waits_is_cancelled_and_stays_due(world):
    world.crm |= {"unavailable": 0.999, "retry_after": 3000}
    with served(project_of(world)), project_of(world) as project:
        until(lambda: [one.status for one in _deliveries(project)] == [Status.RUNNING])
        project.service.cancel(1, by="ann")
        (delivery,) = until(lambda: _over(project))
        assert (delivery.status, delivery.reason_code) == (Status.CANCELLED, "CANCELLED")
    world.crm = {"batch_rows": 3}
    world.run()
    assert len(world.applied()) == 4


@pytest.mark.door("python")
def test_B18_a_request_without_an_answer_holds_no_cancel_up(world, monkeypatch):
    """Ten seconds for an answer are none here; the sink would say nothing for a minute."""
    monkeypatch.setattr(deliver, "DRAIN_SECONDS", 0.0)
    with Sink() as sink:
        sink.always(silent())
        networks = {"allow_networks": ["127.0.0.0/8"]}
        world.others["hook"] = {"type": "webhook", "url": f"{sink.url}/in", **networks}
        world.use = {"use": "hook", "match": "user_id"}
        with served(project_of(world)), project_of(world) as project:
            until(lambda: sink.taken.requests)
            project.service.cancel(1, by="ann")
            (ended,) = until(lambda: _over(project))
            assert (ended.status, ended.reason_code) == (Status.CANCELLED, "CANCELLED")
            assert ended.counts["in_doubt"] == 4
        sink.always(None)
        world.run()
        assert (len(sink.taken.records), sink.taken.repeats) == (4, 4)


def test_a_delivery_that_the_end_of_the_service_interrupted_goes_on_with_the_next(world):
    world.crm |= {"unavailable": 0.999, "retry_after": 3000}
    with served(project_of(world)), project_of(world) as project:
        until(lambda: [one.status for one in _deliveries(project)] == [Status.RUNNING])
    (delivery,) = runs_of(world)[0].deliveries
    assert (delivery.status, delivery.reason_code) == (Status.CANCELLED, "INTERRUPTED")
    world.crm = {"batch_rows": 3}
    with served(project_of(world)):
        until(lambda: len(world.applied()) == 4)
    assert len(runs_of(world)) == 1


def test_a_destination_that_was_down_is_tried_again_later(world):
    world.crm |= {"unavailable": 0.999}
    assert world.run().deliveries[0].status is Status.FAILED
    world.crm = {"batch_rows": 3}
    del world.sync["schedule"]
    executed(world, "UPDATE deliveries SET finished_at = finished_at - 61")
    with served(project_of(world)):
        until(lambda: len(world.applied()) == 4)
    assert len(runs_of(world)) == 1


@pytest.mark.door("python")
def test_B18_what_begins_goes_by_settings_edited_a_moment_ago(world):
    world.crm |= {"unavailable": 0.999}
    del world.sync["schedule"]
    assert world.run().deliveries[0].status is Status.FAILED
    with served(project_of(world)):
        with project_of(world) as project:
            until(project.service.status)
        world.crm = {"batch_rows": 3}
        with project_of(world) as project:
            project.service.retry(1)
            until(lambda: len(world.applied()) == 4)
            tried = until(lambda: _ended(project))
            assert [one.status for one in tried] == [Status.FAILED, Status.COMPLETED]


def test_an_import_does_not_wait_for_a_destination(world):
    world.crm |= {"unavailable": 0.999, "retry_after": 3000}
    with served(project_of(world)), project_of(world) as project:
        until(lambda: [one.status for one in _deliveries(project)] == [Status.RUNNING])
        project.service.trigger(["people"])
        until(lambda: [one.status for one in project.runs()] == [Status.COMPLETED] * 2)


def test_files_that_change_are_taken_in_and_wrong_ones_leave_the_old_in_force(world):
    del world.sync["schedule"]
    world.save()
    clock, heard = QuickClock(), Heard()
    project = rowlift.Project(world.folder, env=world.env, clock=clock, progress=heard)
    with served(project), project_of(world) as other:
        until(other.service.status)
        broken = world.folder / "syncs" / "broken.yml"
        for wreck in (lambda: broken.write_text("sync: ["), lambda: broken.symlink_to(broken)):
            heard.notes.clear()
            wreck()
            clock.sleep(10)
            until(lambda: any("stay in force" in text for text in heard.notes))
            broken.unlink()
        world.sync["schedule"] = {"every": "1d"}
        world.save()
        clock.sleep(10)
        until(lambda: len(world.applied()) == 4)


def test_what_changes_while_the_files_are_read_is_taken_in_the_next_time(world):
    world.save()
    broken = world.folder / "syncs" / "broken.yml"

    clock, heard = QuickClock(), Meddling(lambda: broken.write_text("sync: {other"))
    with rowlift.Project(world.folder, env=world.env, clock=clock, progress=heard) as project:
        serving = project.serving()
        broken.write_text("sync: [")
        for _ in range(3):
            clock.sleep(10)
            serving.reread()
    assert len(heard.notes) == 2


def test_files_that_name_another_workspace_leave_the_old_one_served(world):
    del world.sync["schedule"]
    world.save()
    clock, heard = QuickClock(), Heard()
    project = rowlift.Project(world.folder, env=world.env, clock=clock, progress=heard)
    with served(project), project_of(world) as other:
        until(other.service.status)
        world.workspace["name"] = "other"
        world.save()
        clock.sleep(10)
        until(lambda: any("stay in force" in text for text in heard.notes))
        other.service.trigger(["people"])
        until(lambda: [one.status for one in other.runs()] == [Status.COMPLETED])
        assert [*other.watch.home.store.definitions.workspaces()] == ["acme"]


class Heard(Silent):
    """Keeps what was told."""

    def __init__(self):
        self.notes = []

    def note(self, task, text, detail=""):
        self.notes.append(text)


class Meddling(Heard):
    """Does something as soon as it is told something."""

    def __init__(self, meddle):
        super().__init__()
        self._meddle = meddle

    def note(self, task, text, detail=""):
        super().note(task, text, detail)
        if len(self.notes) == 1:
            self._meddle()


def _deliveries(project):
    return [delivery for run in project.runs() for delivery in run.deliveries]


def _ended(project):
    found = project.watch.home.store.deliveries.of_run(1)
    return [] if any(one.status is Status.RUNNING for one in found) else found


def _over(project):
    return [one for one in _deliveries(project) if one.status is not Status.RUNNING]
