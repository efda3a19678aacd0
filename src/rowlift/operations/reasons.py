"""Why rows of a run did not go: by code, with how many and some of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from rowlift.core.rules import RULES
from rowlift.operations.home import Home
from rowlift.operations.rejects import rejects
from rowlift.operations.reporting import report_run
from rowlift.operations.reports import RunReport
from rowlift.state.runs import Run

EXAMPLES = 3
_LOOKED_AT = 20_000  # rejected rows among which examples are looked for


@dataclass(frozen=True, slots=True)
class Example:
    """One row that did not go."""

    row_number: int | None
    identifier: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Reason:
    """A code, how many rows it kept, what it means, and how to mend it.

    An empty target is the rules of the sync; query is `relationships` for its second query.
    """

    code: str
    title: str
    mend: str
    target: str
    query: str
    rows: int
    examples: Sequence[Example] = field(default_factory=tuple)


def reasons(home: Home, run: Run, *, values: bool) -> list[Reason]:
    """Return why rows did not go, the most frequent reason first; with `values` some rows of each.

    Examples are looked for among the first 20,000 rows that did not go.
    """
    found = sorted(_counted(report_run(home, run)), key=lambda one: (-one[3], one[0]))
    shown = _examples(home, run, {one[:3] for one in found}) if values and found else {}
    return [
        _reason(code, target, query, rows, shown.get((code, target, query), ()))
        for code, target, query, rows in found
    ]


def _counted(run: RunReport) -> list[tuple[str, str, str, int]]:
    """Return code, target, query and count of everything that a run told of rejected rows."""
    parts = {"": run.counts, "relationships": run.counts.get("relationships") or {}}
    told = [("", query, counts) for query, counts in parts.items()]
    told += [("workspace", query, one.get("workspace") or {}) for query, one in parts.items()]
    told += [(one.destination, one.query, one.counts) for one in run.deliveries]
    return [
        (code, target, query, int(rows))
        for target, query, counts in told
        for code, rows in (counts.get("codes") or {}).items()
    ]


def _examples(
    home: Home, run: Run, wanted: set[tuple[str, str, str]]
) -> Mapping[tuple[str, str, str], Sequence[Example]]:
    found: dict[tuple[str, str, str], list[Example]] = {}
    for row in islice(rejects(home, run), _LOOKED_AT):
        kept = found.setdefault((row["code"], row["target"], row["query"]), [])
        if len(kept) < EXAMPLES:
            kept.append(_example(row))
        if all(len(found.get(one, ())) == EXAMPLES for one in wanted):
            break
    return found


def _example(row: Mapping[str, Any]) -> Example:
    return Example(row["row_number"], row["identifier"], row["reason"])


def _reason(
    code: str, target: str, query: str, rows: int, examples: Sequence[Example]
) -> Reason:  # fmt: skip
    rule = RULES.get(code)
    title, mend = (rule.title, rule.mend) if rule else ("", "")
    return Reason(code, title, mend, target, query, rows, examples)
