"""Schedules over simulated days: no slot lost, none begun twice, every skip explained."""

import json
import zoneinfo
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from days import MINUTE, START, Days
from rowlift.testing.folder import Folder

HOUR = timedelta(hours=1)


@pytest.mark.door("python")
def test_B20_fifty_syncs_every_minute_never_overlap_and_lose_no_slot(tmp_path):
    """Eight hours; `make torture` serves whole days, a month of them."""
    days = Days(tmp_path, syncs=50, seed=20261122)
    end = START + 8 * HOUR
    days.serve(end)
    with days.project() as project:
        assert len(project.ls()) == 50
    told = days.check(end, fair_minutes=120)
    assert told.total() == 50 * 480
    assert told["run"] >= 250
    assert told.keys() == {"run", "BUSY", "SLOT_WAITS", "waits"}


def test_T15_F41_a_clock_that_jumps_back_and_ahead_fires_no_slot_twice(tmp_path):
    days = Days(tmp_path, syncs=1, seed=1, minutes=10)
    end = START + 28 * HOUR
    days.serve(end, jumps={START + HOUR: START + HOUR / 2, START + 2 * HOUR: START + 26 * HOUR})
    told = days.check(end, fair_minutes=2000)
    assert told == {"run": 24, "SLOTS_MISSED": 144}


def test_T15_a_service_that_was_away_catches_up_one_slot(tmp_path):
    days = Days(tmp_path, syncs=1, seed=1, minutes=10)
    days.serve(START + HOUR)
    days.clock.set(START + 5 * HOUR)
    days.serve(START + 6 * HOUR)
    assert days.begun() == [*range(0, 60, 10), *range(300, 360, 10)]


def test_F41_a_clock_that_leaps_to_2038_and_2100_and_back_repeats_nothing_and_goes_on(tmp_path):
    days = Days(tmp_path, syncs=1, seed=1, minutes=10)
    leaps = [datetime(year, 2, 1, tzinfo=UTC) for year in (2038, 2100)]
    for leap in leaps:
        days.serve(leap + HOUR / 2, jumps={days.clock.now() + 29 * MINUTE: leap})
    days.clock.set(START + 2 * HOUR)
    days.serve(START + 2.5 * HOUR)
    first, second = (int((leap - START) / MINUTE) for leap in leaps)
    assert days.begun() == [
        0, 10, 20, 130, 140, *range(first, first + 60, 10), *range(second, second + 30, 10),
    ]  # fmt: skip


@pytest.fixture
def zone(tmp_path):
    """Put a zone into the machine's database whose hours ahead of UTC change as they are told."""
    place = tmp_path / "zones" / "Acme" / "Place"
    place.parent.mkdir(parents=True)

    before = zoneinfo.TZPATH

    def ahead(hours):
        files = [Path(each) / "Etc" / f"GMT-{hours}" for each in before]
        place.write_bytes(next(one for one in files if one.is_file()).read_bytes())
        ZoneInfo.clear_cache()
        assert datetime.now(ZoneInfo("Acme/Place")).utcoffset() == timedelta(hours=hours)

    zoneinfo.reset_tzpath([str(tmp_path / "zones"), *before])
    yield ahead
    zoneinfo.reset_tzpath(before)
    ZoneInfo.clear_cache()


def test_F42_a_zone_whose_rules_change_fires_a_slot_once(tmp_path, zone):
    days = Days(tmp_path / "acme", syncs=1, seed=1)
    sync = json.loads((days.folder / "syncs" / "s00.yml").read_text())
    sync["schedule"] = {"at": "08:00", "timezone": "Acme/Place"}
    (days.folder / "syncs" / "s00.yml").write_text(json.dumps(sync))
    for day, hours in enumerate((1, 3, 0)):  # 08:00 there is 07:00, 05:00 and 08:00 in UTC
        zone(hours)
        for hour in (4.9, 6.9, 7.9):
            days.clock.set(START + timedelta(days=day, hours=hour))
            days.serve(days.clock.now() + HOUR / 5)
    assert days.begun() == [7 * 60, 29 * 60, 56 * 60]


@pytest.mark.door("python")
def test_B17_a_sync_that_was_paused_takes_its_next_slot(tmp_path):
    days = Days(tmp_path, syncs=1, seed=1, minutes=10)
    days.serve(START + HOUR)
    with days.project() as project:
        project.pause("s00")
    days.serve(START + 2 * HOUR)
    days.clock.set(START + 3 * HOUR + timedelta(minutes=5))
    with days.project() as project:
        project.resume("s00")
        assert project.ls()[0].next_slot == int((START + HOUR * 3).timestamp()) + 600
    days.serve(START + 4 * HOUR)
    assert days.begun() == [*range(0, 60, 10), *range(190, 240, 10)]


@pytest.mark.door("python")
def test_B18_an_edited_schedule_counts_from_its_next_slot(tmp_path):
    days = Days(tmp_path, syncs=1, seed=1, minutes=10)
    days.serve(START + HOUR)
    days.every(25)
    days.serve(START + 2 * HOUR)
    assert days.begun() == [*range(0, 60, 10), 75, 100]
    with days.project() as project:
        assert project.ls()[0].next_slot == int((START + 2 * HOUR).timestamp()) + 300


@pytest.mark.door("python")
@pytest.mark.parametrize(
    ("given", "schedule"),
    [
        ({"preset": "traits"}, {"every": "12h"}),
        ({"preset": "traits", "schedule": {"every": "1h"}}, {"every": "1h"}),
        ({"preset": "traits", "schedule": {"every": "5m"}}, {"every": "5m"}),
        ({"preset": "traits", "schedule": "off"}, None),
        ({}, None),
    ],
)
def test_A13_traits_run_every_twelve_hours_unless_they_say_otherwise(tmp_path, given, schedule):
    shop = {"type": "files", "root": str(tmp_path)}
    sink = {"type": "sandbox", "path": str(tmp_path / "sent.jsonl")}
    folder = Folder(tmp_path / "acme", shop, sink, sql="SELECT 1 AS user_id", **given)
    with folder.project() as project:
        (sync,) = project.ls()
    assert sync.schedule == schedule


@pytest.mark.door("python")
def test_A13_a_time_on_some_days_goes_by_the_clock_of_its_zone(tmp_path):
    shop = {"type": "files", "root": str(tmp_path)}
    sink = {"type": "sandbox", "path": str(tmp_path / "sent.jsonl")}
    schedule = {"days": ["thu", "mon"], "at": "08:00", "timezone": "Europe/Berlin"}
    folder = Folder(tmp_path / "acme", shop, sink, sql="SELECT 1 AS user_id", schedule=schedule)
    with folder.project() as project:
        (sync,) = project.ls()
    assert sync.schedule == schedule | {"days": "mon,thu"}
    local = datetime.fromtimestamp(sync.next_slot, ZoneInfo("Europe/Berlin"))
    assert local.isoweekday() in {1, 4}
    assert local.strftime("%H:%M") == "08:00"
    assert timedelta() < local - folder.clock.now() <= timedelta(days=4)
