"""Numbers, moments and statuses as pages write them."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from rowlift.core.nouns import Status
from rowlift.operations.reports import RunReport

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}
_STEPS = ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s"))

# A status's tone and its icon: never colour alone.
_MARKS: Mapping[str, tuple[str, str]] = {
    Status.QUEUED: ("quiet", "clock"),
    Status.RUNNING: ("info", "running"),
    Status.COMPLETED: ("ok", "check"),
    Status.SOME_ROWS_FAILED: ("warn", "triangle-alert"),
    Status.FAILED: ("bad", "x"),
    Status.SKIPPED: ("quiet", "chevrons-right"),
    Status.STOPPED: ("bad", "shield-alert"),
    Status.CANCELLED: ("quiet", "square"),
    "Paused": ("quiet", "pause"),
    "Active": ("ok", "check"),
    "Never ran": ("quiet", "clock"),
}


def tone(status: str) -> str:
    """Return the tone of a status."""
    return _MARKS[status][0]


def sign(status: str) -> str:
    """Return the icon of a status."""
    return _MARKS[status][1]


def number(value: object) -> str:
    """Return a count with separators between thousands."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def short(value: int) -> str:
    """Return a count of an axis: 12k for 12,000."""
    for size, unit in ((1_000_000_000, "bn"), (1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return str(value)


def exact(at: float) -> str:
    """Return a moment to the second, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(at: float) -> str:
    """Return a moment as programs read it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(at: float) -> str:
    """Return how long ago a moment was, or how long it is until then."""
    gone = time.time() - at
    size, unit = next((one for one in _STEPS if abs(gone) >= one[0]), _STEPS[-1])
    count = int(abs(gone) // size)
    if not count:
        return "just now"
    return f"{count} {unit} ago" if gone > 0 else f"in {count} {unit}"


def day(at: float) -> str:
    """Return a day as a chart's axis has it."""
    return datetime.fromtimestamp(at, UTC).strftime("%-d %b")


def lasted(run: RunReport) -> str:
    """Return how long a run took, or has taken until now."""
    seconds = max(0.0, (run.finished_at or time.time()) - run.created_at)
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE)} s"
    return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE)} min"


def schedule(declared: Mapping[str, str] | None) -> str:
    """Return a schedule in words."""
    if not declared:
        return "By hand only"
    start = f", from {declared['start_at']} on" if "start_at" in declared else ""
    if "every" in declared:
        return _every(declared["every"]) + start
    zone = declared.get("timezone", "UTC")
    if "cron" in declared:
        return f"{_cron(declared['cron'])}, {zone}{start}"
    return f"{declared.get('days', 'every day').capitalize()} at {declared['at']}, {zone}{start}"


def _every(text: str) -> str:
    count, unit = int(text.strip()[:-1]), _UNITS[text.strip()[-1]]
    return f"Every {unit}" if count == 1 else f"Every {count} {unit}s"


def _cron(line: str) -> str:
    minute, hour, *others = line.split()
    if others == ["*", "*", "*"] and minute.isdecimal():
        if hour == "*":
            return f"Every hour at :{int(minute):02}"
        if hour.isdecimal():
            return f"Every day at {int(hour):02}:{int(minute):02}"
    return f"Cron {line}"


def part(name: object) -> str:
    """Return a name as one part of an address."""
    return quote(str(name), safe="")


def query(values: Mapping[str, Any]) -> str:
    """Return the filters that are set as the end of an address."""
    told = {name: value for name, value in values.items() if value not in (None, "", False)}
    return f"?{urlencode(told)}" if told else ""


def moved(run: RunReport) -> int:
    """Return how many rows a run added, changed, brought back or removed."""
    names = ("added", "changed", "returned", "removed")
    return sum(int(run.counts.get(name, 0)) for name in names)


def rejected(run: RunReport) -> int:
    """Return how many rows did not go anywhere or somewhere."""
    parts = [run.counts, run.counts.get("relationships") or {}]
    told = [one for each in parts for one in (each, each.get("workspace") or {})]
    told += [one.counts for one in run.deliveries]
    return sum(int(one.get("rejected", 0)) for one in told)


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence has them: a, b and c."""
    *most, last = names or ("nothing",)
    return f"{', '.join(most)} and {last}" if most else last


def written(value: Any) -> str:
    """Return a value of a row as JSON writes it, texts without their quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


FILTERS = {
    one.__name__: one
    for one in (
        ago, day, exact, iso, lasted, listed, moved, number, part, query, rejected, schedule, short,
        sign, tone, written,
    )
}  # fmt: skip
