"""Durations, shares, names and schedules as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowlift.core.specs import Threshold
from rowlift.project.names import name, suggestion
from rowlift.project.schedules import cron, interval, start, zone
from rowlift.project.units import duration, seconds, threshold


@given(st.integers(0, 10**8))
def test_a_duration_that_was_written_is_read_back(total):
    assert seconds(duration(total)) == total


@given(st.text() | st.integers() | st.floats() | st.none() | st.booleans())
def test_any_other_duration_is_a_value_error(value):
    total, words = _read(value)
    assert words.startswith("must be") or 0 <= total <= 3660 * 86_400


def _read(value) -> tuple[int, str]:
    try:
        return seconds(value), ""
    except ValueError as error:
        return -1, str(error)


@pytest.mark.parametrize(
    ("text", "total"),
    [("90s", 90), ("5m", 300), ("12h", 43_200), ("1d", 86_400), ("2w", 1_209_600)],
)
def test_durations(text, total):
    assert seconds(text) == total


@pytest.mark.parametrize(
    "value", ["", "1", "1.5h", "-1h", "1 fortnight", "12:30:45", "٣h", 12, True]
)
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(ValueError, match="must be a duration"):
        seconds(value)


@pytest.mark.parametrize("value", ["0s", "59s", "367d", "999999999d"])
def test_an_interval_is_a_minute_to_a_year(value):
    with pytest.raises(ValueError, match="must be at"):
        interval(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("10%", Threshold(percent=10)),
        ("0.5 %", Threshold(percent=0.5)),
        (0, Threshold(rows=0)),
        (500, Threshold(rows=500)),
        ("off", None),
    ],
)
def test_thresholds(value, expected):
    assert threshold(value) == expected


@pytest.mark.parametrize("value", ["101%", "-1%", "10", -1, 0.5, True, "many", "%", None])
def test_what_is_no_threshold_is_refused(value):
    with pytest.raises(ValueError, match="must be a share"):
        threshold(value)


@pytest.mark.parametrize("text", ["a", "0", "zendesk_tickets", "a-b_c", "x" * 64])
def test_names(text):
    assert name(text) == text


@pytest.mark.parametrize(
    "text", ["", "A", "_a", "a b", "../etc", "a/b", "<b>", "é", "😀", "x" * 65, "a\n", "x" * 500]
)
def test_names_that_could_not_be_paths_are_refused(text):
    with pytest.raises(ValueError, match="must be a name"):
        name(text)


@given(st.text())
def test_a_suggested_name_is_a_name(text):
    near = suggestion(text)
    assert not near or name(near) == near


@pytest.mark.parametrize(
    "text",
    [
        "30 6 * * 1-5",
        "*/15 * * * *",
        "0 8,12 1 JAN MON",
        "5/10 0-23/2 31 12 fri-sun",
        "0 0 * 1-3 7",
    ],
)
def test_cron_lines(text):
    assert cron(text) == text


@pytest.mark.parametrize("text", ["", "* * * *", "* * * * * *", "@daily", 5])
def test_broken_cron_lines_are_refused(text):
    with pytest.raises(ValueError, match="five fields"):
        cron(text)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("61 * * * *", "minute"), ("60 * * * *", "minute"), ("*/0 * * * *", "minute"),
        ("-1 * * * *", "minute"), ("9-5 * * * *", "minute"), ("1, * * * *", "minute"),
        ("a;b * * * *", "minute"), ("٣ * * * *", "minute"), ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of month"), ("* * 32 * *", "day of month"), ("* * * 13 *", "month"),
        ("* * * foo *", "month"), ("* * * * 8", "day of week"), ("* * * * mon-xyz", "day of week"),
        ("* * * * */99", "day of week"), ("0 0 L * *", "day of month"),
    ],
)  # fmt: skip
def test_a_cron_field_out_of_its_range_is_named(text, field):
    with pytest.raises(ValueError, match=f"whose {field} is"):
        cron(text)


@pytest.mark.parametrize("text", ["2027-01-31T08:00", "2027-01-31 08:00:00+01:00"])
def test_first_times(text):
    assert start(text) == text


@pytest.mark.parametrize("text", ["12:30:45", "2027-01-31", "tomorrow", "2027-02-30T08:00", 5])
def test_broken_first_times_are_refused(text):
    with pytest.raises(ValueError, match="a date and a time"):
        start(text)


def test_time_zones():
    assert zone("Europe/Berlin") == "Europe/Berlin"
    with pytest.raises(ValueError, match='Did you mean "Europe/Berlin"'):
        zone("Europe/Berln")
