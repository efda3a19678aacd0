"""A plan as Markdown, for whoever reviews a pull request."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rowlift.operations.differing import differences
from rowlift.operations.reports import PlanRecord, PlanReport

_QUERY = ("read", "added", "changed", "returned", "removed", "unchanged", "rejected")
_UNDO = {
    "changed": "set back",
    "returned": "brought back",
    "removed": "taken out",
    "stays": "changed since",
}
_MOST_WIDE = 80  # characters of one value
_GONE, _STAYS = "removed", "stays"


def plan_markdown(plan: PlanReport | PlanRecord) -> str:
    """Return what a run or an undo would do: counts, targets, notes, and sampled differences.

    Values stand in code spans, so that none of them is a link, a mention or markup.
    """
    return "\n".join(_blocks(plan)) + "\n"


def _blocks(plan: PlanReport | PlanRecord) -> Iterator[str]:
    made = datetime.fromtimestamp(plan.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield from (_title(plan), "", f"Made {made}. Nothing was changed.")
    parts = [("", plan.counts), ("relationships", plan.counts.get("relationships") or {})]
    told = [(name or "rows", counts) for name, counts in parts if counts]
    columns = _UNDO if plan.undo_of else {one: one for one in _QUERY}
    yield from _table(
        ("undo" if plan.undo_of else "query", *columns.values()),
        ([name, *(_number(counts.get(one, 0)) for one in columns)] for name, counts in told),
    )
    yield from _rejected(counts for _, counts in told)
    yield from _table(("to", "what happens there"), _targets(plan.targets))
    yield from (line for note in plan.notes for line in ("", f"> {_plain(note)}"))
    yield from _samples(plan.samples, is_undo=bool(plan.undo_of))


def _title(plan: PlanReport | PlanRecord) -> str:
    if plan.undo_of:
        return f"## Undo of run {plan.undo_of} of {_code(plan.sync)}"
    tried = f", the first {plan.first_rows:,} rows" if plan.first_rows else ""
    return f"## Plan of {_code(plan.sync)}{tried}"


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


def _samples(samples: Sequence[Mapping[str, Any]], *, is_undo: bool) -> Iterator[str]:
    changed = [one for one in samples if one["change"] not in {_GONE, _STAYS}]
    if changed:
        words = _UNDO if is_undo else {}
        yield from ("", "### Some that come back" if is_undo else "### Some of the rows")
        names = ("identifier", "change", "attribute", "before", "after")
        yield from _table(names, _rows(changed, words))
    gone = [one["key"] for one in samples if one["change"] == _GONE]
    if gone:
        title = "### Some that are taken out" if is_undo else "### Some of those that left"
        yield from ("", title, "", ", ".join(map(_code, gone)))
    stay = [one["key"] for one in samples if one["change"] == _STAYS]
    if stay:
        yield from ("", "### Some that changed since, and stay", "", ", ".join(map(_code, stay)))


def _rows(
    samples: Iterable[Mapping[str, Any]], words: Mapping[str, str]
) -> Iterator[Sequence[str]]:
    for one in samples:
        change = words.get(one["change"], one["change"])
        for it in differences(one):
            was, now = (text and _code(text) for text in (it.before, it.after))
            yield [_code(one["key"]), change, _code(it.name), was, now]


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
