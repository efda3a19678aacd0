"""C10: how fresh attributes are, here and at destinations, and who hears when they are not."""

import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

import rowlift
from doors.api import serving
from doors.cli import run_cli
from rowlift.core.rights import Role
from rowlift.operations.freshness import share_met
from rowlift.state.freshness import Arrival
from rowlift.testing.clock import SetClock
from rowlift.testing.misbehaviour import status
from rowlift.testing.sink import Sink
from world import World

HOUR = 3600


@pytest.fixture
def sink():
    with Sink() as opened:
        yield opened


@pytest.fixture
def world(tmp_path, sink):
    """One person with two attributes; the destination takes one of them."""
    made = World(tmp_path / "acme", ("user_id", "plan", "city"))
    made.sync |= {"workspace": "write", "fresh_within": "24h"}
    made.sync["attributes_fresh_within"] = {"plan": "1h"}
    made.use["exclude"] = ["city"]
    made.rows(("1", "free", "Rome"))
    made.env["HOOK"] = "whsec_" + "QUJD" * 8
    made.channels["ops"] = {
        "type": "webhook", "url": sink.url, "secret": "${HOOK}", "allow_networks": ["127.0.0.1"],
    }  # fmt: skip
    return made


@contextmanager
def after(world, **passed):
    world.save()
    clock = SetClock(datetime.now(UTC) + timedelta(**passed))
    with rowlift.Project(world.folder, env=world.env, clock=clock) as project:
        yield project


def seen(project):
    return {(one.target, one.attribute): one.late for one in project.alerts.freshness("people")}


@pytest.mark.door("python")
def test_C10_each_attribute_has_a_level_at_each_target(world):
    with after(world) as project:
        assert not any(one.late for one in project.alerts.freshness())
        assert all(one.as_of is None for one in project.alerts.freshness())
    world.run()
    with after(world, minutes=50) as project:
        assert seen(project) == dict.fromkeys(
            [("workspace", ""), ("workspace", "plan"), ("workspace", "city"), ("crm", ""),
             ("crm", "plan")], False,
        )  # fmt: skip
    with after(world, hours=2) as project:
        late = {target for target, is_late in seen(project).items() if is_late}
        assert late == {("workspace", "plan"), ("crm", "plan")}
        (whole, plan) = [one for one in project.alerts.freshness() if one.target == "crm"]
    assert (whole.attribute, whole.within, plan.attribute, plan.within) == (
        "", 24 * HOUR, "plan", HOUR,
    )  # fmt: skip
    assert abs(whole.as_of - time.time()) < 100
    assert whole.at >= whole.as_of


def came(*each):
    """Return arrivals, each at an hour with the hour that it is as of."""
    return [Arrival(run, as_of * HOUR, at * HOUR) for run, (as_of, at) in enumerate(each)]


@pytest.mark.parametrize(
    ("arrivals", "within", "met"),
    [
        (came((0, 0)), 10, 1.0),
        (came((0, 0)), 5, 0.5),
        (came((0, 1), (5, 6)), 2, 2 / 9),  # fresh from 1 to 2 and from 6 to 7
        (came((-3, -2), (5, 6)), 5, 6 / 10),  # what was there before counts from hour 0 on
        (came((8, 9)), 1, 0.0),  # late as it came
    ],
)
def test_a_level_is_measured_by_the_time_in_which_it_was_met(arrivals, within, met):
    assert share_met(arrivals, within * HOUR, 0, 10 * HOUR) == pytest.approx(met)


@pytest.mark.door("python")
def test_C10_it_is_measured_how_well_a_level_was_met(world):
    world.run()
    with after(world, hours=2) as project:
        met = {(one.target, one.attribute): one.met for one in project.alerts.freshness("people")}
        assert all(one.met is None for one in project.alerts.freshness())
    assert met["crm", ""] == met["workspace", ""] == met["workspace", "city"] == 1
    assert met["crm", "plan"] == pytest.approx(0.5, abs=0.05)


@pytest.mark.door("python")
def test_C10_what_never_came_is_late_once_it_should_have(world):
    with after(world) as project:
        project.ls()
    with after(world, hours=25) as project:
        assert all(seen(project).values())


@pytest.mark.door("python")
def test_C10_what_is_on_its_way_to_a_destination_is_not_there(world):
    with Sink() as crm:
        crm.always(status(503))
        world.others["desk"] = {
            "type": "webhook", "url": crm.url, "allow_networks": ["127.0.0.1"],
        }  # fmt: skip
        world.uses = [{"use": "desk", "match": "user_id"}]
        world.run()
        with after(world) as project:
            there = {one.target: one.as_of for one in project.alerts.freshness()}
            (city, plan) = project.person("1").attributes
        assert there["crm"]
        assert there["desk"] is None
        assert city.delivered == {"desk": None}
        assert plan.delivered["desk"] is None
        assert plan.delivered["crm"] >= plan.synced
        crm.always(None)
        world.run()
    with after(world) as project:
        (city, plan) = project.person("1").attributes
        assert all(one.as_of for one in project.alerts.freshness())
    assert city.delivered["desk"] >= city.synced >= city.as_of


@pytest.mark.door("python")
def test_C10_a_missed_level_is_told_once_and_again_when_it_is_met(world, sink):
    world.run()
    for hours in (2, 3, 30):
        with after(world, hours=hours) as project:
            project.alerts.look()
            project.alerts.tell(at_once=True)
            assert len(project.alerts.wrong()) == 2
    world.run()
    told = [json.loads(one.body) for one in sink.requests]
    told = [[(one["rule"], one["destination"], one["recovered"]) for one in message["alerts"]]
            for message in told]  # fmt: skip
    assert told == [
        [("late", "", False), ("late", "crm", False)], [("late", "", True), ("late", "crm", True)],
    ]  # fmt: skip
    world.sync["alerts"] = {"late": False}
    with after(world, hours=30) as project:
        project.alerts.look()
        assert project.alerts.wrong() == []
        project.pause("people")
    del world.sync["alerts"]
    with after(world, hours=30) as project:
        project.alerts.look()
        assert project.alerts.wrong() == []


@pytest.mark.door("cli")
def test_C10_the_command_line_says_what_is_late(world):
    world.run()
    good = run_cli("status", cwd=world.folder, env=world.env)
    assert good.code == 0, good.stderr
    assert "✓ nothing is wrong" in good.stdout
    world.sync["fresh_within"] = "0s"
    world.save()
    late = run_cli("status", "people", "-o", "json", cwd=world.folder, env=world.env)
    assert late.code == 1
    assert {one["attribute"] for one in late.json["freshness"] if one["late"]} == {"", "city"}
    assert {one["rule"] for one in late.json["wrong"]} == {"late"}
    shown = run_cli("people", "show", "1", cwd=world.folder, env=world.env)
    assert "synced" in shown.stdout
    assert "delivered" in shown.stdout


@pytest.mark.door("api")
def test_C10_the_api_says_what_is_late(world):
    world.run()
    clock = SetClock(datetime.now(UTC) + timedelta(hours=2))
    with serving(world.folder, clock, **world.env) as api, api.as_user(Role.VIEWER) as viewer:
        found = viewer.get("/freshness", params={"sync": "people"}).json()["items"]
        assert {(one["target"], one["attribute"]) for one in found if one["late"]} == {
            ("workspace", "plan"), ("crm", "plan"),
        }  # fmt: skip
        assert viewer.get("/freshness", params={"sync": "nobody"}).json()["code"] == "NAME_UNKNOWN"
