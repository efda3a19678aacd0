"""The forms a schedule may have; when it is due is decided elsewhere."""

import re
from datetime import datetime
from zoneinfo import available_timezones

from rowlift.core.spelling import did_you_mean
from rowlift.project.slots import is_ever_due
from rowlift.project.units import SECONDS, seconds

_PART = re.compile(r"(?:\*|([0-9A-Za-z]{1,3})(?:-([0-9A-Za-z]{1,3}))?)(?:/([0-9]{1,3}))?", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
WEEK = (*_DAYS[1:], _DAYS[0])
EARLIEST_YEAR, LATEST_YEAR = 1970, 2999
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
# What each field may hold: its name, its least and its highest number, the words for numbers.
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)


def interval(value: object) -> str:
    """Return an interval as written; raises ValueError outside one minute to a year."""
    total = seconds(value)
    if not SECONDS["m"] <= total <= 366 * SECONDS["d"]:
        raise ValueError("must be at least 1m and at most 366d")
    return str(value).strip()


def cron(value: object) -> str:
    """Return a cron line of five fields as written."""
    fields = value.split() if isinstance(value, str) else []
    if len(fields) != len(_FIELDS):
        raise ValueError(
            "must be a cron line of five fields in quotes: minute, hour, day of month, month, "
            'day of week, for example "30 6 * * 1-5"'
        )
    for text, (name, least, most, words) in zip(fields, _FIELDS, strict=True):
        if not all(_fits(part, least, most, words) for part in text.split(",")):
            spelled = f", or {words[0]} to {words[-1]}" if words else ""
            raise ValueError(
                f"must be a cron line whose {name} is *, or {least} to {most}{spelled}, or a list, "
                'a range or steps of them, for example "30 6 * * 1-5"'
            )
    line = " ".join(fields)
    if not is_ever_due(line):
        raise ValueError("must be a cron line of a day that comes: that one is in no year")
    return line


def _fits(part: str, least: int, most: int, words: tuple[str, ...]) -> bool:
    found = _PART.fullmatch(part)
    if not found or (found[3] and not 1 <= int(found[3]) <= most):
        return False
    numbers = [_number(word, words, least) for word in found.group(1, 2) if word is not None]
    if words is _DAYS and len(numbers) == 2 and numbers[1] == 0:  # noqa: PLR2004
        numbers[1] = 7  # fri-sun
    return all(least <= number <= most for number in numbers) and numbers == sorted(numbers)


def _number(word: str, words: tuple[str, ...], least: int) -> int:
    """Return the number a word stands for, or -1; jan is 1 and sun is 0, as the fields begin."""
    if word.isdigit():
        return int(word)
    return words.index(word.lower()) + least if word.lower() in words else -1


def days(value: object) -> str:
    """Return days of the week as one text, each once and in the week's order: mon,thu."""
    named: list[str] = value if isinstance(value, list) else []
    if not named or not all(one in _DAYS for one in named):
        raise ValueError("must be a list of days, mon to sun, for example [mon, thu]")
    return ",".join(sorted(set(named), key=WEEK.index))


def time(value: object) -> str:
    """Return a time of the day as written."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError('must be a time from "00:00" to "23:59", with two digits for each number')
    return value


def start(value: object) -> str:
    """Return a first time as written: a date and a time, its zone optional."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        moment = None
    if moment is None or not isinstance(value, str) or not re.search(r"[T ]", value):
        raise ValueError("must be a date and a time, for example 2027-01-31T08:00")
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise ValueError(f"must lie in the years {EARLIEST_YEAR} to {LATEST_YEAR}")
    return value


def zone(value: object) -> str:
    """Return the name of a time zone that this machine knows."""
    known = available_timezones()
    if not isinstance(value, str) or (known and value not in known):
        hint = did_you_mean(value, known)
        raise ValueError(f"must be a time zone such as Europe/Berlin.{hint}")
    return value
