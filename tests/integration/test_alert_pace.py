"""How often channels are told, of how much, and what becomes of one that fails."""

from contextlib import contextmanager

import pytest
import sqlalchemy as sa

import rowlift
from alarms import CANARY, SQLITE, at, executed, hearing, hook, later, lines, run, told, wrong
from faults.disks import disk, filled, needs_root
from rowlift.core.errors import SourceError
from rowlift.operations import alarming
from rowlift.operations.alarming import StateAlarm
from rowlift.state.tables import runs
from rowlift.testing.clock import SetClock
from rowlift.testing.misbehaviour import status
from rowlift.testing.sink import Sink


@pytest.fixture
def sink():
    with Sink() as opened:
        yield opened


@pytest.fixture
def world(tmp_path, state_url, sink):
    return hearing(tmp_path, state_url, sink)


@SQLITE
@pytest.mark.door("python")
def test_B16_without_a_service_a_channel_hears_at_once_and_five_times_a_minute_at_most(world, sink):
    good, bad = (("1", "free"), ("2", "team")), (("1", "free"), ("", CANARY))
    for rows in (bad, good) * 3:
        world.rows(*rows)
        run(world)
        world.minutes -= 2  # the same moment
    begun, over = ("rows_failed", "", False, "ID_NULL"), ("rows_failed", "", True, "")
    assert lines(sink) == [begun, over] * 2 + [begun]
    assert len(told(sink)) == 5
    with world.project() as project:
        assert (project.alerts.channels()[0].waiting, project.alerts.wrong()) == (1, [])
    world.minutes += 2
    run(world)
    assert lines(sink) == [begun, over] * 3


@SQLITE
@pytest.mark.door("python")
def test_B16_of_a_channel_that_fails_the_others_hear_once_and_again_when_it_is_over(world, sink):
    with Sink() as broken:
        world.channels["backup"] = hook(broken)
        broken.always(status(503))
        world.rows(("1", "free"), ("", CANARY))
        world.run()
        for minutes in (2, 4, 20, 40):
            with at(world, later(minutes=minutes)) as project:
                project.alerts.tell()
                project.alerts.look()
        with at(world, later(minutes=42)) as project:
            project.alerts.tell()
            assert wrong(project)[0] == ("failure", "channel backup", "")
        broken.always(None)
        for hours in (2, 3):
            with at(world, later(hours=hours)) as project:
                project.alerts.tell()
                project.alerts.look()
                project.alerts.tell(at_once=True)
        with at(world, later(hours=4)) as project:
            assert wrong(project) == [("rows_failed", "people", "")]
        assert [one[0] for one in lines(broken)] == ["rows_failed"]
    assert lines(sink) == [
        ("rows_failed", "", False, "ID_NULL"),
        ("failure", "", False, "CHANNEL_FAILED"), ("failure", "", True, ""),
    ]  # fmt: skip


@SQLITE
@pytest.mark.door("python")
def test_B16_a_channel_that_fails_alone_is_told_to_nobody(world, sink):
    sink.always(status(401))
    world.rows(("1", "free"), ("", CANARY))
    world.run()
    for minutes in (2, 4, 20):
        with at(world, later(minutes=minutes)) as project:
            project.alerts.tell()
            project.alerts.look()
    with at(world, later(minutes=30)) as project:
        assert wrong(project)[0] == ("failure", "channel ops", "")
        assert project.alerts.channels()[0].waiting == 0


@SQLITE
@pytest.mark.door("python")
def test_B16_after_a_day_of_silence_a_message_is_given_up_and_says_so(world, sink):
    sink.always(status(410))
    world.rows(("1", "free"), ("", CANARY))
    world.run()
    for hours in range(2, 28, 2):
        with at(world, later(hours=hours)) as project:
            project.alerts.tell()
            (channel,) = project.alerts.channels()
    assert (channel.failing, channel.code) == (True, "ENDPOINT_GONE")
    before = len(sink.seen)
    with at(world, later(days=9)) as project:
        project.alerts.tell()
    assert len(sink.seen) == before


@SQLITE
@pytest.mark.door("python")
def test_B16_a_storm_is_one_message_that_names_some_and_counts_the_others(world, sink):
    world.save()
    for number in range(25):
        sync = {**world.sync, "sync": f"s{number:02}", "sql": "SELECT user_id, x FROM people"}
        world.write(f"syncs/s{number:02}.yml", {**sync, "destinations": [world.use]})
    with world.project() as project:
        project.run()
    (message,) = told(sink)
    assert (len(message["alerts"]), message["others"]) == (20, 5)
    assert message["title"] == "Rowlift acme: 25 alerts"


@SQLITE
@pytest.mark.door("python")
def test_B16_a_thousand_syncs_that_fail_are_one_message_of_each_channel(world, sink):
    with Sink() as desk:
        world.channels["desk"] = hook(desk)
        world.save()
        for number in range(1000):
            sync = {**world.sync, "sync": f"s{number:03}", "destinations": [world.use]}
            world.write(f"syncs/s{number:03}.yml", sync)
        (world.folder / "syncs" / "people.yml").unlink()
        (world.folder / "data" / "people.csv").unlink()
        clock = SetClock(later())
        with rowlift.Project(world.folder, env=world.env, clock=clock) as project:
            with pytest.raises(SourceError):
                project.run(["s000"])
            copied(world, project.serving().home.syncs.values())
            look_and_tell(project, clock)
            executed(world, "UPDATE runs SET status = 'Completed', unjudged = 1")
            look_and_tell(project, clock)
            assert wrong(project) == []
        for channel in (sink, desk):
            first, storm, over = told(channel)
            assert first["title"].startswith("Rowlift acme: ✗ s000: failed")
            assert (storm["title"], over["title"]) == (
                "Rowlift acme: 999 alerts", "Rowlift acme: 1000 recoveries",
            )  # fmt: skip
            assert (len(storm["alerts"]), storm["others"]) == (20, 979)


def look_and_tell(project, clock):
    """Do for two minutes what a service does."""
    for _ in range(12):
        clock.sleep(10)
        project.alerts.look()
        project.alerts.tell()


def copied(world, syncs):
    """Let every other sync have failed as the one run did."""
    engine = sa.create_engine(world.env["ROWLIFT_STATE_URL"])
    with engine.begin() as connection:
        (run,) = connection.execute(sa.select(runs)).mappings()
        rest = [one for one in syncs if one != run["sync_uid"]]
        rows = [{**run, "id": at, "sync_uid": uid, "unjudged": 1} for at, uid in enumerate(rest, 2)]
        connection.execute(runs.insert(), rows)
    engine.dispose()


@needs_root
@SQLITE
@pytest.mark.door("python")
def test_B16_an_outage_is_told_once_whoever_runs_and_its_end_though_nobody_ran(
    world, sink, tmp_path, monkeypatch
):
    monkeypatch.setattr(alarming, "GATHER_SECONDS", 0)
    full = ("failure", "", False, "STATE_FULL")
    with disk(tmp_path / "small", "20m") as small:
        world.env |= {"ROWLIFT_DATA_DIR": str(small / "data")}
        with world.project() as project:
            project.run(["people"])
        with looking(world) as look:
            look()
        with filled(small):
            for _ in range(2):
                with looking(world) as look:
                    look()
                    look()
                assert lines(sink) == [full]
        with Sink() as desk:
            world.channels["desk"] = hook(desk)
            for _ in range(2):
                with looking(world) as look:
                    look()
                assert lines(sink) == [full, ("failure", "", True, "STATE_FULL")]
            assert told(desk) == [], "it never heard of it"


@contextmanager
def looking(world):
    """Look as a service does that begins anew, which only remembers what is written down."""
    with world.project() as project:
        serving = project.serving()
        alarm = StateAlarm(serving.alerts().note())
        yield lambda: alarm.look(serving.alerts(), serving.hindrance())
