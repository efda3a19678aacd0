"""A plan as Markdown, for whoever reviews a pull request."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rowlift.operations.differing import differences
from rowlift.operations.reports import PlanRecord, PlanReport

_QUERY = ("read", "added", "changed", "returned", "removed", "unchanged", "rejected")
_MOST_WIDE = 80  # characters of one value
_GONE = "removed"


def plan_markdown(plan: PlanReport | PlanRecord) -> str:
    """Return what a run would do: counts, targets, notes, and each sampled row's differences.

    Values stand in code spans, so that none of them is a link, a mention or markup.
    """
    return "\n".join(_blocks(plan)) + "\n"


def _blocks(plan: PlanReport | PlanRecord) -> Iterator[str]:
    tried = f", the first {plan.first_rows:,} rows" if plan.first_rows else ""
    made = datetime.fromtimestamp(plan.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield from (f"## Plan of {_code(plan.sync)}{tried}", "", f"Made {made}. Nothing was changed.")
    parts = [("", plan.counts), ("relationships", plan.counts.get("relationships") or {})]
    told = [(name or "rows", counts) for name, counts in parts if counts]
    yield from _table(
        ("query", *_QUERY),
        ([name, *(_number(counts.get(one, 0)) for one in _QUERY)] for name, counts in told),
    )
    yield from _rejected(counts for _, counts in told)
    yield from _table(("to", "what happens there"), _targets(plan.targets))
    yield from (line for note in plan.notes for line in ("", f"> {_plain(note)}"))
    yield from _samples(plan.samples)


def _rejected(parts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    codes = [(code, rows) for counts in parts for code, rows in (counts.get("codes") or {}).items()]
    if codes:
        yield from ("", "Rejected: " + ", ".join(f"{_code(one)} {rows:,}" for one, rows in codes))


def _targets(targets: Mapping[str, Mapping[str, Any]]) -> Iterator[Sequence[str]]:
    for name, counts in targets.items():
        told = [
            f"{count:,} {_plain(what)}"
            for what, count in counts.items()
            if isinstance(count, int) and count
        ]
        yield [_code(name), ", ".join(told) or "nothing"]


def _samples(samples: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    changed = [one for one in samples if one["change"] != _GONE]
    if changed:
        yield from ("", "### Some of the rows")
        yield from _table(("identifier", "change", "attribute", "before", "after"), _rows(changed))
    gone = [one["key"] for one in samples if one["change"] == _GONE]
    if gone:
        yield from ("", "### Some of those that left", "", ", ".join(map(_code, gone)))


def _rows(samples: Iterable[Mapping[str, Any]]) -> Iterator[Sequence[str]]:
    for one in samples:
        for it in differences(one):
            was, now = (text and _code(text) for text in (it.before, it.after))
            yield [_code(one["key"]), one["change"], _code(it.name), was, now]


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield from ("", _line(names), _line(["---"] * len(names)))
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(count: Any) -> str:
    return f"{int(count):,}"


def _code(value: str) -> str:
    """Return a text as a code span that a cell of a table may hold; a long one is cut."""
    shown = "".join(one if one.isprintable() else " " for one in value) or " "
    if len(shown) > _MOST_WIDE:
        shown = shown[: _MOST_WIDE - 1] + "…"
    fence = "`" * (1 + max((len(one) for one in re.findall("`+", shown)), default=0))
    room = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{room}{shown}{room}{fence}".replace("|", "\\|")


def _plain(value: str) -> str:
    """Return a text of ours in which nothing is markup."""
    shown = "".join(one if one.isprintable() else " " for one in value)
    return re.sub(r"([\\`*_{}\[\]<>#|~@!])", r"\\\1", " ".join(shown.split()))
