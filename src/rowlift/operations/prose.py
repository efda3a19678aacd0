"""A sync in one paragraph, as one would tell a colleague what it does."""

from collections.abc import Iterator, Mapping, Sequence

from rowlift.core.nouns import Kind, Mode, Removed
from rowlift.core.specs import SyncSpec, UseSpec
from rowlift.project.problems import listed

_THINGS = {Kind.PERSON: "people", Kind.ACCOUNT: "accounts", Kind.OBJECT: "objects"}
_MODES = {
    Mode.UPSERT: "who is new is added, and who is known is changed",
    Mode.UPDATE: "who is known is changed, and nobody is added",
    Mode.CREATE: "who is new is added, and nobody who is known is changed",
}
_REMOVED = {
    Removed.KEEP: "Whoever leaves the result keeps what they have.",
    Removed.CLEAR: "Whoever leaves the result loses what this sync wrote.",
    Removed.DELETE: "Whoever leaves the result is deleted, unless others have something of them.",
    Removed.LEAVE_SEGMENT: "Whoever leaves the result leaves the segment and keeps the rest.",
}
_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}
_DAYS = {
    "mon": "Monday", "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "fri": "Friday",
    "sat": "Saturday", "sun": "Sunday",
}  # fmt: skip


def prose(spec: SyncSpec) -> str:
    """Return what a sync does, in whole sentences."""
    return " ".join(_sentences(spec))


def _sentences(spec: SyncSpec) -> Iterator[str]:
    yield _reads(spec)
    if spec.workspace:
        yield f"They are kept in the workspace: {_MODES[spec.mode]}."
    yield from _rows(spec)
    yield _REMOVED[spec.removed]
    yield from _beside(spec)
    yield _destinations(spec)
    if spec.on_bad_rows == "stop":
        yield "One row that breaks a rule stops the run before anything is changed."
    else:
        yield "Rows that break a rule are left out and listed; all others go."


def _reads(spec: SyncSpec) -> str:
    begins, key = when(spec.schedule), spec.identify_by
    if spec.audience:
        return (
            f"{begins}, and as soon as somebody enters or leaves, Rowlift reads who is in "
            f"{spec.audience} and who left it, each known by their {key}."
        )
    of_type = f" of type {spec.object_type}" if spec.kind is Kind.OBJECT else ""
    return (
        f"{begins}, Rowlift runs a query on {spec.source} whose rows are "
        f"{_THINGS[spec.kind]}{of_type}, each known by its {key}."
    )


def _rows(spec: SyncSpec) -> Iterator[str]:
    blank = " or empty text" if spec.empty_strings == "as_null" else ""
    if spec.empty_values == "delete":
        yield f"An empty value{blank} deletes the attribute."
    else:
        yield f"An empty value{blank} changes nothing."
    if spec.suppressed == "fail":
        yield "A suppressed person is passed over and counts as a failed row."
    else:
        yield "Suppressed people are passed over."


def _beside(spec: SyncSpec) -> Iterator[str]:
    if spec.segment:
        made = ", which is made if there is none" if spec.segment.create else ""
        yield f"People who are written enter the segment {spec.segment.name}{made}."
    if spec.relationships:
        key = spec.relationships.identify_by
        yield f"A second query relates people, named by {key}, and objects."


def _destinations(spec: SyncSpec) -> str:
    if not spec.destinations:
        return "Nothing is sent anywhere: it is computed without destinations."
    return f"What changed goes to {listed([_use(one) for one in spec.destinations], 'and')}."


def _use(one: UseSpec) -> str:
    told = [f"as {one.match}"]
    if one.only:
        told.append(f"only {listed(one.only, 'and')}")
    if one.exclude:
        told.append(f"without {listed(one.exclude, 'and')}")
    if one.fields:
        told.append(listed([f"{old} as {new}" for old, new in one.fields.items()], "and"))
    return f"{one.use} ({'; '.join(told)})"


def when(schedule: Mapping[str, str] | None) -> str:
    """Return a schedule as the beginning of a sentence: Every 12 hours."""
    if not schedule:
        return "When somebody asks for it"
    zone = schedule.get("timezone", "UTC")
    start = f", from {schedule['start_at'].replace('T', ' ')} on" if "start_at" in schedule else ""
    if "every" in schedule:
        where = f" ({zone})" if start and "timezone" in schedule else ""
        return f"{_every(schedule['every'])}{start}{where}"
    if "cron" in schedule:
        return f"{_cron(schedule['cron'])} ({zone}){start}"
    return f"{_on(schedule.get('days', ''))} at {schedule['at']} ({zone}){start}"


def _on(days: str) -> str:
    named: Sequence[str] = [_DAYS[one] for one in days.split(",") if one]
    if len(named) in {0, len(_DAYS)}:
        return "Every day"
    if days == "mon,tue,wed,thu,fri":
        return "Every weekday"
    return f"Every {listed(named, 'and')}"


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
    return f"At the times of the cron line {line}"
