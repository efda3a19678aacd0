"""Numbers, moments and statuses as pages write them."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rowlift.core.counting import counted
from rowlift.core.nouns import Finding, Status
from rowlift.core.rules import RULES
from rowlift.operations.prose import when
from rowlift.operations.reports import RunReport
from rowlift.project.units import duration, percent

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_THOUSAND = 1000
_STEPS_OF_TESTS = {"tls": "TLS", "read_only": "Read-only"}
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

_MENDS: Mapping[str, str] = {  # where the rule's own names commands
    "MOSTLY_UNKNOWN": "Compare a few of these identifiers with those under People. If they are of "
    "another kind, name the right column, or join the table that has it. If these people are "
    "really new, say so when you make the sync.",
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


def aged(at: float) -> str:
    """Return how old something of a moment is: in hours up to two days, which tell more."""
    gone = max(0.0, time.time() - at)
    steps = ((2 * _DAY, _DAY, "d"), (2 * _HOUR, _HOUR, "h"), (_MINUTE, _MINUTE, "min"), (0, 1, "s"))
    size, unit = next((size, unit) for least, size, unit in steps if gone >= least)
    return f"{int(gone // size)} {unit}"


def day(at: float) -> str:
    """Return a day as a chart's axis has it."""
    return datetime.fromtimestamp(at, UTC).strftime("%-d %b")


def lasted(run: RunReport) -> str:
    """Return how long a run took, or has taken until now."""
    return seconds(max(0.0, (run.finished_at or time.time()) - run.created_at))


def schedule(declared: Mapping[str, str] | None) -> str:
    """Return a schedule in words."""
    return when(declared) if declared else "By hand only"


def part(name: object) -> str:
    """Return a name as one part of an address."""
    return quote(str(name), safe="")


def local(at: float, zone: str) -> str:
    """Return a moment as clocks in a time zone show it; in UTC where there is no such zone."""
    try:
        known: tzinfo = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = UTC
    return datetime.fromtimestamp(at, known).strftime("%a %-d %b %Y, %H:%M %Z")


def seconds(count: float) -> str:
    """Return a span of time: 4.2 s, 3 min 5 s, 2 h 10 min."""
    if count < _MINUTE:
        return f"{count:.1f} s"
    if count < _HOUR:
        return f"{int(count // _MINUTE)} min {int(count % _MINUTE)} s"
    return f"{int(count // _HOUR)} h {int(count % _HOUR // _MINUTE)} min"


def size(count: float) -> str:
    """Return a number of bytes: 5.3 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < _THOUSAND:
            return f"{count:.3g} {unit}"
        count /= _THOUSAND
    return f"{count:.3g} TB"


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


def who(one: Any) -> str:
    """Return what names a person in an address; empty where nothing does."""
    if one.id:
        return f"id:{one.id}"
    if one.email:
        return f"email:{one.email}"
    known = getattr(one, "anonymous_ids", ())
    return f"anonymous_id:{known[0]}" if known else ""


def called(one: Any) -> str:
    """Return what a person is best called by."""
    return who(one).partition(":")[2] or "Somebody"


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence has them: a, b and c."""
    *most, last = names or ("nothing",)
    return f"{', '.join(most)} and {last}" if most else last


def mend(found: Finding) -> str:
    """Return how to mend what was found, by what one has on a page."""
    return _MENDS.get(found.code, found.mend)


def written(value: Any) -> str:
    """Return a value of a row as JSON writes it, texts without their quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def step(name: str) -> str:
    """Return what a step of a connection test is called."""
    return _STEPS_OF_TESTS.get(name, name.replace("_", " ").capitalize())


def setting(value: object) -> str:
    """Return a setting as one reads it; a secret is only known to be set."""
    if isinstance(value, str):
        return "set" if value.startswith("${secret:") else value
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {setting(one)}" for name, one in value.items())
    if isinstance(value, Sequence):
        return "\n".join(setting(one) for one in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def statement(line: str) -> bool:
    """Tell whether a line of advice is a statement to be run where it says."""
    return line.rstrip().endswith(";") or line.startswith(("GRANT ", "REVOKE ", "CREATE "))


def explained(code: str) -> bool:
    """Tell whether a code is one of ours, with a page that explains it."""
    return code in RULES


TESTS = {"statement": statement, "explained": explained}
FILTERS = {
    one.__name__: one
    for one in (
        aged, ago, called, counted, day, duration, exact, iso, lasted, listed, local, mend, moved,
        number, part, percent, query, rejected, schedule, seconds, setting, short, sign, size, step,
        tone, who, written,
    )
}  # fmt: skip
