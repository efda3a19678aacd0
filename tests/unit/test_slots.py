"""Slots against the plainest reference there is: a walk over the minutes of the zone's clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import hypothesis
import pytest
from hypothesis import strategies as st

from rowlift.project.schedules import WEEK, cron
from rowlift.project.schedules import days as week
from rowlift.project.slots import Cron, Every, slots_of

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
DAY = 86_400
MINUTES = 1440


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def in_field(field: str, value: int, lowest: int, most: int) -> bool:
    """Whether a number stands in a field of numbers, stars, ranges, steps and lists."""
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        least = lowest if span == "*" else int(first)
        end = most if span == "*" or (step and not last) else int(last or first)
        if least <= value <= end and (value - least) % int(step or 1) == 0:
            return True
    return False


def matches(line: str, local: datetime) -> bool:
    minute, hour, day, month, weekday = line.split()
    by_day = in_field(day, local.day, 1, 31)
    by_weekday = any(
        in_field(weekday, n, 0, 7) for n in {local.isoweekday(), local.isoweekday() % 7}
    )
    both = day.startswith("*") or weekday.startswith("*")
    return (
        in_field(minute, local.minute, 0, 59)
        and in_field(hour, local.hour, 0, 23)
        and in_field(month, local.month, 1, 12)
        and (by_day and by_weekday if both else by_day or by_weekday)
    )


def walked(line: str, zone: ZoneInfo, begin: int, end: int) -> list[int]:
    """The slots after begin and up to end, minute by minute.

    Lines of fixed times walk the wall clock, on which each minute of a day stands once; the others
    walk the time that passes.
    """
    if line.startswith("*") or line.split()[1].startswith("*"):
        moments = range(begin - begin % 60 + 60, end + 1, 60)
        return [one for one in moments if matches(line, datetime.fromtimestamp(one, zone))]
    wall = datetime.fromtimestamp(begin - 2 * DAY, zone).replace(
        tzinfo=None, hour=0, minute=0, second=0
    )
    found = set()
    for _ in range((end - begin) // 60 + 4 * MINUTES):
        if matches(line, wall):
            found.add(first_there_is(wall, zone))
        wall += timedelta(minutes=1)
    return sorted(one for one in found if begin < one <= end)


def first_there_is(wall: datetime, zone: ZoneInfo) -> int:
    """The first moment at or after a time on the wall that the zone's clocks really show."""
    while True:
        moment = int(wall.replace(tzinfo=zone).timestamp())
        if datetime.fromtimestamp(moment, zone).replace(tzinfo=None) == wall:
            return moment
        wall += timedelta(minutes=1)


def taken(slots, begin: int, end: int) -> list[int]:
    found = []
    while (slot := slots.after(begin)) is not None and slot <= end:
        found.append(slot)
        begin = slot
    return found


MINUTE_FIELDS = st.sampled_from(["0", "30", "15,45", "*/15", "*/7", "59", "5-20/5"])
HOUR_FIELDS = st.sampled_from(["*", "2", "1-3", "0", "3", "2,3", "*/6", "23", "1,2,3"])
DAY_FIELDS = st.sampled_from(["*", "1", "25-31", "*/2"])
WEEKDAY_FIELDS = st.sampled_from(["*", "0", "1-5", "7", "6,0"])
# Around these days the clocks of the zones above change.
CHANGES = ("2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01")


@hypothesis.settings(max_examples=60)
@hypothesis.example(("0", "*/6", "*", "*", "*"), ZONES[3], "2026-04-05", -30602)
@hypothesis.example(("*/30", "2", "*", "*", "*"), ZONES[1], "2026-10-25", -DAY)
@hypothesis.given(
    fields=st.tuples(MINUTE_FIELDS, HOUR_FIELDS, DAY_FIELDS, st.just("*"), WEEKDAY_FIELDS),
    zone=st.sampled_from(ZONES),
    day=st.sampled_from(CHANGES),
    seconds=st.integers(-DAY, DAY // 2),
)
def test_F42_T15_cron_slots_are_those_of_a_walk_over_the_minutes(fields, zone, day, seconds):
    line, begin = " ".join(fields), unix(f"{day}T00:00+00:00") + seconds
    end = begin + 2 * DAY
    slots = Cron(line, ZoneInfo(zone))
    expected = walked(line, ZoneInfo(zone), begin, end)
    assert taken(slots, begin, end) == expected
    assert slots.latest(end) == (expected or [slots.latest(begin)])[-1]


@pytest.mark.parametrize(
    ("line", "zone", "begin", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00+00:00", ["03-29T01:00", "03-30T00:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00+00:00", ["10-25T00:30", "10-26T01:30"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00+00:00",
         ["10-03T15:30", "10-04T15:15"]),
        ("0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00+00:00", ["03-29T01:00", "03-30T00:00"]),
    ],
)  # fmt: skip
def test_F42_a_skipped_hour_fires_after_it_and_a_doubled_one_once(line, zone, begin, expected):
    slots, moment = Cron(line, ZoneInfo(zone)), unix(begin)
    for text in expected:
        moment = slots.after(moment)
        assert datetime.fromtimestamp(moment, UTC).strftime("%m-%dT%H:%M") == text


@hypothesis.given(
    days=st.lists(st.sampled_from(WEEK), min_size=1, unique=True),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    zone=st.sampled_from(ZONES),
    day=st.sampled_from(CHANGES),
)
def test_F42_a_time_on_some_days_comes_once_on_each_of_them(days, hour, minute, zone, day):
    schedule = {"days": week(days), "at": f"{hour:02}:{minute:02}", "timezone": zone}
    begin = unix(f"{day}T00:00+00:00") - 3 * DAY
    wall = datetime.fromtimestamp(begin, ZoneInfo(zone)).replace(
        tzinfo=None, hour=hour, minute=minute, second=0
    )
    walls = [wall + timedelta(days=one) for one in range(9)]
    named = [one for one in walls if WEEK[one.weekday()] in days]
    expected = [first_there_is(one, ZoneInfo(zone)) for one in named]
    end = begin + 8 * DAY
    wanted = [one for one in expected if begin < one <= end]
    assert taken(slots_of(schedule, 0), begin, end) == wanted


def test_a_time_without_days_is_daily():
    begin = unix("2026-11-22T08:00+00:00")
    assert taken(slots_of({"at": "08:00"}, 0), begin, begin + 2 * DAY) == [
        begin + DAY, begin + 2 * DAY,
    ]  # fmt: skip


@hypothesis.given(
    interval=st.integers(60, 366 * DAY),
    start=st.integers(0, 2**33),
    moment=st.integers(0, 2**33),
)
def test_T15_an_interval_is_counted_from_its_start(interval, start, moment):
    slots = Every(interval, start)
    following = slots.after(moment)
    assert following > moment
    assert following >= start
    assert (following - start) % interval == 0
    assert following == start or following - moment <= interval
    latest = slots.latest(moment)
    assert (latest is None) == (moment < start)
    assert latest is None or (following - latest, latest <= moment) == (interval, True)


def test_a_start_is_local_to_the_zone_and_bounds_a_cron_line():
    local = {"start_at": "2026-07-01T08:00", "timezone": "Europe/Berlin"}
    assert slots_of({"every": "1d", **local}, 0).after(0) == unix("2026-07-01T06:00+00:00")
    given = {"every": "1d", "start_at": "2026-07-01T08:00-03:00", "timezone": "Europe/Berlin"}
    assert slots_of(given, 0).after(0) == unix("2026-07-01T11:00+00:00")
    daily = slots_of({"cron": "0 6 * * *", **local}, 0)
    assert daily.after(0) == unix("2026-07-02T04:00+00:00")
    assert daily.latest(unix("2026-07-02T03:59+00:00")) is None
    assert daily.latest(unix("2026-07-02T04:00+00:00")) == unix("2026-07-02T04:00+00:00")


def test_a_range_of_days_may_end_on_sunday():
    friday = unix("2026-11-20T00:00+00:00")
    days = [
        datetime.fromtimestamp(one, UTC).strftime("%a")
        for one in taken(Cron("0 6 * * fri-sun", ZoneInfo("UTC")), friday, friday + 7 * DAY)
    ]
    assert days == ["Fri", "Sat", "Sun"]


def test_a_rare_slot_is_found_and_one_that_never_comes_refused():
    leap = Cron("0 0 29 2 *", ZoneInfo("UTC"))
    assert leap.latest(unix("2027-01-01T00:00+00:00")) == unix("2024-02-29T00:00+00:00")
    assert leap.after(unix("2097-01-01T00:00+00:00")) == unix("2104-02-29T00:00+00:00")
    with pytest.raises(ValueError, match="in no year"):
        cron("0 0 30 2 *")
