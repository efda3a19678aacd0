"""Alerts: told once and again when it is over, through real channels, whatever dies or is down."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

import rowlift
from alarms import (
    CANARY,
    SECRET,
    SQLITE,
    at,
    executed,
    hearing,
    hook,
    later,
    lines,
    run,
    told,
    wrong,
)
from crashes.child import KILLED
from days import START, Days
from doors.forks import forked
from rowlift.core import faults
from rowlift.core.alerts import message_from
from rowlift.core.errors import GuardStop, SourceError
from rowlift.core.nouns import Status
from rowlift.testing.clock import QuickClock
from rowlift.testing.forwards import FORWARD, Crossing, track
from rowlift.testing.misbehaviour import status
from rowlift.testing.sink import Sink
from rowlift.workers.alerting import AlertWorker
from served import until


@pytest.fixture
def sink():
    with Sink() as opened:
        yield opened


@pytest.fixture
def world(tmp_path, state_url, sink):
    return hearing(tmp_path, state_url, sink)


@pytest.mark.door("python")
def test_B16_rows_that_fail_are_told_once_and_again_when_they_go_through(world, sink):
    world.rows(("1", "free"), ("", CANARY))
    for _ in range(2):
        assert run(world).status is Status.SOME_ROWS_FAILED
    assert lines(sink) == [("rows_failed", "", False, "ID_NULL")]
    with world.project() as project:
        (wrong,) = project.alerts.wrong()
    assert (wrong.sync, wrong.run, wrong.text) == ("people", 1, "1 of 2 rows failed")
    world.rows(("1", "free"), ("2", "team"))
    for _ in range(2):
        assert run(world).status is Status.COMPLETED
    assert lines(sink)[1:] == [("rows_failed", "", True, "")]
    assert CANARY not in str(told(sink))
    with world.project() as project:
        assert project.alerts.wrong() == []


@SQLITE
@pytest.mark.door("python")
@pytest.mark.parametrize(
    ("known_as", "url"),
    [
        (
            {"public_url": "https://rowlift.example.com/acme/"},
            "https://rowlift.example.com/acme/runs/1",
        ),
        ({}, ""),
    ],
)
def test_B16_a_message_links_to_the_run_where_the_service_knows_its_address(
    world, sink, known_as, url
):
    world.workspace |= known_as
    world.rows(("1", "free"), ("", CANARY))
    with world.project() as project:
        project.run(["people"])
    (message,) = told(sink)
    assert message["alerts"][0]["url"] == url
    assert message_from(message, 1.0).text.endswith(f"(run 1) {url}".rstrip())


@SQLITE
@pytest.mark.door("python")
def test_B16_a_run_that_fails_is_told_by_its_code_alone(world, sink):
    world.sync["sql"] = f"SELECT user_id, error('{CANARY}') AS plan FROM people"
    with pytest.raises(SourceError):
        run(world)
    world.sync["sql"] = "SELECT user_id, plan FROM people"
    run(world)
    with world.project() as project:
        assert wrong(project) == []
    assert [(rule, over) for rule, _, over, _ in lines(sink)] == [
        ("failure", False), ("failure", True),
    ]  # fmt: skip
    assert CANARY not in str(told(sink))


@SQLITE
@pytest.mark.door("python")
def test_B16_a_guard_that_stops_a_run_is_told(world, sink):
    world.sync["guards"] = {"removals": 0}
    run(world)
    world.rows(("1", "free"))
    with pytest.raises(GuardStop):
        run(world)
    with world.project() as project:
        assert wrong(project) == [("guard_stop", "people", "")]
    run(world, allow_removals=True)
    assert [(rule, over) for rule, _, over, _ in lines(sink)] == [
        ("guard_stop", False), ("guard_stop", True),
    ]  # fmt: skip


@SQLITE
@pytest.mark.door("python")
def test_B16_a_destination_that_refuses_is_told_by_its_name(world, sink):
    with Sink() as crm:
        crm.always(status(401))
        world.others["desk"] = {**hook(crm), "url": crm.url}
        world.uses = [{"use": "desk", "match": "user_id"}]
        run(world)
        assert [one[:3] for one in lines(sink)] == [("failure", "desk", False)]
        with world.project() as project:
            assert wrong(project) == [("failure", "people", "desk")]
        crm.always(None)
        run(world)
    assert [one[:3] for one in lines(sink)][1:] == [("failure", "desk", True)]


@SQLITE
@pytest.mark.door("python")
def test_B16_rules_and_hearers_of_a_sync_go_before_those_of_the_project(world, sink):
    world.rows(("1", "free"), ("", "x"))
    for rules in ("off", {"to": []}, {"rows_failed": "off"}, {"rows_failed": "50%"}):
        world.sync["alerts"] = rules
        world.run()
    with world.project() as project:
        assert wrong(project) == []
    world.alerts = {"rows_failed": "off"}
    del world.sync["alerts"]
    world.run()
    assert told(sink) == []
    world.sync["alerts"] = {"rows_failed": "49%", "to": ["ops"], "slower": 3, "count_off": "50%"}
    world.run()
    assert len(told(sink)) == 1


@SQLITE
@pytest.mark.door("python")
def test_B16_a_run_that_is_slow_or_has_another_number_of_rows_than_usual_is_told(world, sink):
    world.sync["alerts"] = {"count_off": "50%", "slower": 3}
    for _ in range(5):
        world.run()
    world.rows(*((str(number), "free") for number in range(4)))
    run(world)
    assert lines(sink) == [("count_off", "", False, "")]
    executed(world, "UPDATE runs SET created_at = created_at - 100, unjudged = 1 WHERE id = 6")
    with at(world, later(minutes=4)) as project:
        project.alerts.look()
        project.alerts.tell(at_once=True)
    assert lines(sink)[1:] == [("slower", "", False, "")]
    world.minutes += 2
    world.rows(("1", "free"), ("2", "team"))
    run(world)
    assert {(one[0], one[2]) for one in lines(sink)[2:]} == {("count_off", True), ("slower", True)}


# what lies between a decision and a message


@pytest.mark.parametrize(
    "point",
    [
        "run.record.after_commit:1",
        "alerts.judge.after_commit:1",
        "alerts.compose.after_commit:1",
        "alerts.claim.after_commit:1",
        "http.after_send:1",
        "alerts.settle.after_commit:1",
    ],
)
@SQLITE
def test_no_alert_is_lost_or_told_under_two_ids_wherever_it_is_killed(world, sink, point):
    world.rows(("1", "free"), ("", CANARY))
    world.save()
    assert forked(run_and_die, str(world.folder), world.env, f"{point}:kill", seconds=60) == KILLED
    executed(world, "UPDATE alert_messages SET lease_until = 0")
    for _ in range(2):
        with at(world, later(minutes=2)) as project:
            project.alerts.look()
            project.alerts.tell(at_once=True)
            assert project.alerts.channels()[0].waiting == 0
    assert {one["id"] for one in told(sink)} == {told(sink)[0]["id"]}
    assert lines(sink)[0] == ("rows_failed", "", False, "ID_NULL")


def run_and_die(folder, env, spec):
    faults.arm(spec)
    with rowlift.Project(folder, env=env) as project:
        project.run(["people"])


@pytest.mark.door("python")
def test_B16_a_channel_that_is_down_holds_nothing_up_and_hears_all_of_it_later(world, sink):
    sink.always(status(503))
    world.rows(("1", "free"), ("", CANARY))
    assert world.run().status is Status.SOME_ROWS_FAILED
    world.rows(("1", "free"), ("2", "team"))
    assert world.run().status is Status.COMPLETED
    with world.project() as project:
        (channel,) = project.alerts.channels()
    assert (channel.failing, channel.code, channel.attempts) == (True, "UNAVAILABLE", 1)
    assert channel.waiting == 1
    sink.always(None)
    for minutes in (1, 3):
        with at(world, later(minutes=minutes)) as project:
            project.alerts.tell()
    assert lines(sink) == [
        ("rows_failed", "", False, "ID_NULL"), ("rows_failed", "", True, ""),
    ]  # fmt: skip
    with world.project() as project:
        assert not project.alerts.channels()[0].failing


@SQLITE
def test_F41_a_clock_that_was_ahead_keeps_no_message_back(world, sink):
    sink.always(status(503))
    world.rows(("1", "free"), ("", CANARY))
    world.run()
    with at(world, later(days=400)) as project:
        project.alerts.tell()
    sink.always(None)
    with at(world, later()) as project:
        project.alerts.tell()
    assert len(told(sink)) == 1


@pytest.mark.door("python")
def test_B16_slots_that_were_missed_are_told_when_the_service_is_back(tmp_path, sink):
    days = Days(tmp_path, syncs=1, seed=1, env={"HOOK": SECRET}, minutes=10)
    connections = json.loads((tmp_path / "connections.yml").read_text())
    connections["profiles"]["dev"]["channels"] = {"ops": hook(sink)}
    (tmp_path / "connections.yml").write_text(json.dumps(connections))
    days.serve(START + timedelta(hours=1))
    days.clock.set(START + timedelta(hours=5))
    for hours in (6, 7):
        days.serve(START + timedelta(hours=hours))
        with days.project() as project:
            project.alerts.look()
            project.alerts.tell()
            assert wrong(project) == []
    ((missed, caught_up),) = [one["alerts"] for one in told(sink)]
    assert (missed["rule"], missed["code"]) == ("missed_slot", "SLOTS_MISSED")
    assert "from 2026-11-22 01:00 UTC until 2026-11-22 05:00 UTC" in missed["text"]
    assert (caught_up["rule"], caught_up["recovered"]) == ("missed_slot", True)


@pytest.mark.door("python")
def test_B16_of_many_who_look_at_once_one_tells(world, sink):
    world.rows(("1", "free"), ("", CANARY))
    world.sync["alerts"] = "off"
    world.run()
    executed(world, "DELETE FROM alert_states")
    executed(world, "UPDATE runs SET unjudged = 1")
    del world.sync["alerts"]
    world.save()
    together = threading.Barrier(6)

    def look(_):
        with rowlift.Project(world.folder, env=world.env) as project:
            project.open()
            together.wait(60)
            project.alerts.look()
            project.alerts.tell(at_once=True)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(look, range(6)))
    assert [one[0] for one in lines(sink)] == ["rows_failed"]
    assert len(sink.seen) == 1
    with world.project() as project:
        assert wrong(project) == [("rows_failed", "people", "")]


@SQLITE
@pytest.mark.door("python")
def test_B16_while_a_service_runs_its_worker_tells_and_survives_what_nobody_foresaw(world, sink):
    world.rows(("1", "free"), ("", CANARY))
    world.save()
    clock, trouble = QuickClock(), iter([ValueError("a fault of ours")])
    with rowlift.Project(world.folder, env=world.env, clock=clock) as project:

        def alerts():
            for error in trouble:
                raise error
            return project.alerts

        project.serving().start()
        project.run()
        assert wrong(project) == []
        with AlertWorker(alerts):
            until(lambda: clock.sleep(30) or sink.requests)
        assert wrong(project) == [("rows_failed", "people", "")]
    assert len(told(sink)) == 1


@pytest.mark.door("python")
def test_A24_a_forward_that_does_not_go_on_is_told(tmp_path, sink):
    crossing = Crossing(tmp_path / "acme", {**hook(sink), "secret": SECRET})
    sink.poison = {"bad"}
    crossing.come(track("bad"), track("bad"))
    crossing.run()
    crossing.come(track("ann"))
    sink.always(status(401))
    with crossing.project() as project:
        project.ingest.forwards.run()
        project.alerts.look()
        (found,) = project.alerts.wrong()
    assert (found.sync, found.code) == (f"forward {FORWARD}", "CREDENTIALS_REFUSED")
    assert found.text.endswith("; 2 events were refused so far")
    sink.always(None)
    with crossing.project() as project:
        project.ingest.forwards.run()
        project.alerts.look()
        assert wrong(project) == []


@SQLITE
@pytest.mark.door("python")
def test_B16_the_share_of_rows_a_destination_refuses_is_of_what_the_run_read(world):
    world.rows(*((str(number), "free") for number in range(50)))
    world.crm["reject"] = ["7"]
    world.sync["alerts"] = {"rows_failed": "5%"}
    for _ in range(2):
        assert world.run().deliveries[0].status is Status.SOME_ROWS_FAILED
    world.sync["alerts"] = {"rows_failed": "1%"}
    world.run()
    with world.project() as project:
        (found,) = project.alerts.wrong()
    assert (found.destination, found.text) == ("crm", "1 of 50 rows failed")


@SQLITE
@pytest.mark.door("python")
def test_B16_what_was_wrong_with_a_sync_that_is_gone_is_forgotten_without_a_word(world, sink):
    world.rows(("1", "free"), ("", CANARY))
    world.run()
    (world.folder / "syncs" / "people.yml").unlink()
    with rowlift.Project(world.folder, env=world.env) as project:
        project.alerts.look()
        assert wrong(project) == []
        project.alerts.tell(at_once=True)
    assert len(told(sink)) == 1
