"""What pages say of a run as it goes on, and of a sync's settings."""

from collections.abc import Mapping
from dataclasses import replace
from textwrap import dedent
from typing import Any

from rowlift.operations.reports import ProgressReport, RunReport
from rowlift.project.writing import write_yaml
from rowlift.web.pages.words import number

_MINUTE, _HOUR = 60, 3600
_STEPS_OF = {
    "read": 0, "query": 0, "undo": 1, "validate": 1, "changes": 1, "apply": 2, "workspace": 2,
    "write": 2, "record": 2,
}  # fmt: skip
_WOULD = (
    ("create", "made"), ("upsert", "sent"), ("update", "changed"), ("clear", "cleared"),
    ("delete", "deleted"), ("enter", "put into the segment"), ("leave", "taken out of the segment"),
    ("suppress", "suppressed there"), ("unsuppress", "no longer suppressed there"),
    ("suppressed", "passed over"), ("skipped", "left alone"),
)  # fmt: skip
_WRITTEN = (
    ("create", "created"), ("update", "updated"), ("clear", "cleared"), ("delete", "deleted"),
    ("enter", "entered"), ("leave", "left"),
)  # fmt: skip


def span(seconds: float) -> str:
    """Return how long something takes, in one or two units."""
    if seconds < _MINUTE:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / _MINUTE)
    return f"{minutes} min" if seconds < _HOUR else f"{minutes // 60} h {minutes % 60} min"


def suppressed(run: RunReport) -> int:
    """Return how many rows were passed over because their people are suppressed."""
    parts = [run.counts, run.counts.get("relationships") or {}]
    told = [one.get("workspace") or {} for one in parts] + [one.counts for one in run.deliveries]
    return sum(int(one.get("suppressed", 0)) for one in told)


def phase_now(run: RunReport) -> int | None:
    """Return which step of a run goes on: reading, finding changes, writing; none when it is over.

    What was written down of its progress may be a second older than its phase.
    """
    if run.phase == "over":
        return None
    told = run.progress.phase if run.progress else ""
    return max(_STEPS_OF.get(run.phase, 0), _STEPS_OF.get(told, 0))


def headway(run: RunReport) -> ProgressReport | None:
    """Return how far the import is, or after it all its deliveries together."""
    sending = [one.progress for one in run.deliveries if one.progress and one.progress.total]
    if run.progress or not sending:
        return run.progress
    left = [one.seconds_left for one in sending]
    known = [one for one in left if one is not None]
    return replace(
        sending[0],
        rows=sum(one.rows for one in sending),
        total=sum(one.total or 0 for one in sending),
        rate=sum(one.rate or 0 for one in sending),
        seconds_left=max(known) if len(known) == len(left) else None,
    )


def doing(phase: str) -> str:
    """Return what has become of rows in a phase that counts them, or nothing."""
    return {"query": "read", "write": "written", "send": "sent"}.get(phase, "")


def took(counts: Mapping[str, Any]) -> str:
    """Return what the workspace did with the rows that were due."""
    told = [f"{number(int(counts[name]))} {word}" for name, word in _WRITTEN if counts.get(name)]
    return " · ".join(told)


def would(counts: Mapping[str, Any]) -> str:
    """Return what would become of rows at one target."""
    told = [f"{number(int(counts[name]))} {word}" for name, word in _WOULD if counts.get(name)]
    return " · ".join(told)


def yaml(value: Any) -> str:
    """Return a setting as its file has it."""
    return dedent(write_yaml({"it": value}).removeprefix("it:")).strip()


FILTERS = {
    one.__name__: one for one in (doing, headway, phase_now, span, suppressed, took, would, yaml)
}
