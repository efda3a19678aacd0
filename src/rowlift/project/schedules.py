"""The forms a schedule may have; when it is due is decided elsewhere."""

import re
from datetime import datetime
from zoneinfo import available_timezones

from rowlift.project.problems import did_you_mean
from rowlift.project.units import SECONDS, seconds

_FIELD = r"(\*|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(/[0-9]{1,3})?"
_FIELDS = re.compile(rf"{_FIELD}(,{_FIELD})*", re.ASCII)


def interval(value: object) -> str:
    """Return an interval as written; raises ValueError outside one minute to a year."""
    total = seconds(value)
    if not SECONDS["m"] <= total <= 366 * SECONDS["d"]:
        raise ValueError("must be at least 1m and at most 366d")
    return str(value).strip()


def cron(value: object) -> str:
    """Return a cron line of five fields as written."""
    fields = value.split() if isinstance(value, str) else []
    if len(fields) != 5 or not all(_FIELDS.fullmatch(one) for one in fields):  # noqa: PLR2004
        raise ValueError(
            "must be a cron line of five fields in quotes: minute, hour, day of month, month, "
            'day of week, for example "30 6 * * 1-5"'
        )
    return " ".join(fields)


def start(value: object) -> str:
    """Return a first time as written: a date and a time, its zone optional."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        moment = None
    if moment is None or not isinstance(value, str) or not re.search(r"[T ]", value):
        raise ValueError("must be a date and a time, for example 2027-01-31T08:00")
    return value


def zone(value: object) -> str:
    """Return the name of a time zone that this machine knows."""
    known = available_timezones()
    if not isinstance(value, str) or (known and value not in known):
        hint = did_you_mean(value, known)
        raise ValueError(f"must be a time zone such as Europe/Berlin.{hint}")
    return value
