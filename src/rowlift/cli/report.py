"""How a run reads on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted, lasted, listed, moment, safe
from rowlift.core.nouns import Status
from rowlift.operations.reports import BAD, DeliveryReport, RunReport

MARKS = {
    Status.COMPLETED: ("✓", "green"),
    Status.SOME_ROWS_FAILED: ("!", "yellow"),
    Status.FAILED: ("×", "red"),  # noqa: RUF001
    Status.STOPPED: ("×", "red"),  # noqa: RUF001
    Status.SKIPPED: ("»", "yellow"),
    Status.RUNNING: ("•", "cyan"),
}
CHANGES = ("added", "changed", "returned", "removed", "unchanged")
WRITTEN = {
    "create": "created", "update": "updated", "clear": "cleared", "delete": "deleted",
    "enter": "entered", "leave": "left",
}  # fmt: skip
OUTCOMES = (
    "delivered", "rejected", "suppressed", "skipped", "superseded", "pending", "in_doubt",
)  # fmt: skip


def mark(status: Status) -> tuple[str, str]:
    """Return a status's sign and its colour."""
    return MARKS.get(status, ("·", "dim"))


def show_run(terminal: Terminal, run: RunReport) -> None:
    """Print one run: rows, changes, workspace, destinations, rejects and how it ended."""
    head = Text.assemble((safe(run.sync), "bold"), f"  run {run.id}")
    head.append(f"  {lasted(run.created_at, run.finished_at)}", style="dim")
    if run.retry_of:
        head.append(f"  retry of run {run.retry_of}", style="cyan")
    if run.undo_of:
        head.append(f"  undo of run {run.undo_of}", style="cyan")
    if run.first_rows:
        head.append("  first rows only", style="cyan")
    if run.resumed:
        head.append("  went on after an interruption", style="cyan")
    terminal.say(head)
    own, *second = parts_of(run)
    show_part(terminal, own)
    for counts in second:
        terminal.say("  relationships", style="bold")
        show_part(terminal, counts)
    show_deliveries(terminal, run)
    _rejected(terminal, run)
    _ended(terminal, run)


def parts_of(run: RunReport) -> list[Mapping[str, Any]]:
    """Return the counts of the sync's own rows, and of those of its second query."""
    second = run.counts.get("relationships")
    return [run.counts, second] if second else [run.counts]


def show_part(terminal: Terminal, counts: Mapping[str, Any]) -> None:
    """Print what came of the rows of one query."""
    if "read" in counts:
        _step(terminal, "query", counted(int(counts["read"]), "row"))
    if "unchanged" in counts:
        changes = {name: counts.get(name, 0) for name in CHANGES}
        _step(terminal, "changes", listed(changes, zeros=("added", "changed", "unchanged")))
    if undone := int(counts.get("undone", 0)) + int(counts.get("undone_gone", 0)):
        _step(terminal, "undone", f"{counted(undone, 'row')}, kept as the undo left them")
    if held := int(counts.get("held", 0)):
        _step(terminal, "held", f"{counted(held, 'row')}, to be judged again", bad=True)
    show_workspace(terminal, counts.get("workspace") or {})


def show_workspace(terminal: Terminal, counts: Mapping[str, Any]) -> None:
    """Print what the workspace took."""
    if not counts:
        return
    done = {words: counts.get(name, 0) for name, words in WRITTEN.items()}
    done |= {name: counts.get(name, 0) for name in ("skipped", "rejected")}
    text = listed(done) or "nothing to write"
    _step(terminal, "workspace", text, bad=bool(counts.get("rejected")))


def show_deliveries(terminal: Terminal, run: RunReport) -> None:
    """Print how each destination stands."""
    for one in sorted(run.deliveries, key=lambda one: one.destination):
        name = f"{one.destination} {one.query}".strip()
        _step(terminal, safe(name), _delivery(one), bad=one.status in BAD)
        show_reason(terminal, one)


def show_reason(terminal: Terminal, one: DeliveryReport) -> None:
    """Print why a delivery did not end well."""
    if one.reason and one.status is not Status.COMPLETED:
        code = f" [{one.reason_code}]" if one.reason_code else ""
        terminal.say(f"              {safe(one.reason)}{code}", style="yellow")


def _delivery(one: DeliveryReport) -> str:
    if one.status in {Status.QUEUED, Status.RUNNING}:
        return f"{one.status.value.lower()}; the next run delivers it"
    due = int(one.counts.get("due", 0))
    if not due:
        return "nothing to send" if one.status is Status.COMPLETED else one.status.value
    counts = {name: one.counts.get(name, 0) for name in OUTCOMES}
    return f"{listed(counts)} of {due:,} due"


def _step(terminal: Terminal, name: str, text: str, *, bad: bool = False) -> None:
    sign, style = ("!", "yellow") if bad else ("✓", "green")
    terminal.say(Text.assemble("  ", (sign, style), f" {name:<10} {text}"))


def rejected_codes(run: RunReport) -> dict[str, int]:
    """Return how many rows were rejected, by code, by the rules, the workspace and everyone."""
    found: dict[str, int] = {}
    told = [*_told(run), *(one.counts for one in run.deliveries)]
    for codes in (one.get("codes") or {} for one in told):
        for code, count in codes.items():
            found[code] = found.get(code, 0) + int(count)
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def rejected_total(run: RunReport) -> int:
    """Return how many rows did not go anywhere or somewhere."""
    told = [*_told(run), *(one.counts for one in run.deliveries)]
    return sum(int(one.get("rejected", 0)) for one in told)


def _told(run: RunReport) -> list[Mapping[str, Any]]:
    return [told for counts in parts_of(run) for told in (counts, counts.get("workspace") or {})]


def _rejected(terminal: Terminal, run: RunReport) -> None:
    total = rejected_total(run)
    if not total:
        return
    codes = " · ".join(f"{code} {count:,}" for code, count in rejected_codes(run).items())
    said = f"{counted(total, 'row')} rejected" + (f": {codes}" if codes else "")
    terminal.say(Text.assemble("  ", ("!", "yellow"), f" {said}"))
    terminal.say(f"    rowlift runs {run.id} --errors", style="cyan")


def _ended(terminal: Terminal, run: RunReport) -> None:
    sign, style = mark(run.status)
    code = f" [{run.reason_code}]" if run.reason_code and run.status in BAD else ""
    is_told = run.reason and run.status is not Status.SOME_ROWS_FAILED
    said, *statements = run.reason.splitlines() if is_told else [""]
    reason = f": {safe(said)}{code}" if said else "."
    if run.failed and run.status is Status.COMPLETED:
        (sign, style), reason = mark(Status.SOME_ROWS_FAILED), ", but not by every destination."
    line = Text.assemble("  ", (sign, style), f" {run.status.value}{reason}")
    line.append(f" last_sync_time: {moment(run.last_sync_time)}", style="dim")
    terminal.say(line)
    for statement in statements:
        terminal.say(f"    {safe(statement)}", style="cyan")
