"""rowlift why."""

from typing import Annotated

import typer
from rich.text import Text

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.records import changed, show_identifiers, show_merges, shown
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import moment, safe
from rowlift.operations.records import AttributeRecord, Change
from rowlift.operations.tracing import Standing, SyncTrace, TargetTrace

WORDS = {
    Standing.DELIVERED: "has the newest version",
    Standing.UNCHANGED: "has it already; the last run brought nothing new",
    Standing.REJECTED: "rejected",
    Standing.IN_DOUBT: "in doubt; it is sent again with the same message id",
    Standing.PENDING: "not delivered yet, still due",
    Standing.SKIPPED: "skipped",
    Standing.PAUSED: "paused",
    Standing.STOPPED: "not sent, because the last run was stopped before it changed anything",
    Standing.NEVER: "never delivered",
    Standing.SUPPRESSED: "suppressed",
    Standing.LEFT: "not in the query any more; kept as it was",
    Standing.REMOVED: "not in the query any more; taken back",
}
GOOD = frozenset({Standing.DELIVERED, Standing.UNCHANGED, Standing.LEFT, Standing.REMOVED})

Who = Annotated[
    str, typer.Argument(help="id:VALUE, email:VALUE, anonymous_id:VALUE, or a bare value.")
]
Attribute = Annotated[str | None, typer.Argument(help="One attribute; default: all.")]
Destination = Annotated[
    str | None, typer.Option(help="Only what this destination has.", metavar="NAME")
]


@_command
def command(
    terminal: Terminal, who: Who, attribute: Attribute = None, destination: Destination = None
) -> int:
    """Says which sync, run, row and query set each attribute and what it was before.

    Then, for every sync that holds the person, what each destination acknowledged last, or why the
    newest values did not go there.
    """
    with terminal.project() as project:
        found = project.why(who, attribute, destination=destination)
    show_identifiers(terminal, found.id, found.email, found.anonymous_ids)
    show_merges(terminal, found.merges)
    for one in found.attributes:
        _attribute(terminal, one)
    for sync in found.syncs:
        _sync(terminal, sync)
    terminal.document("why", why=found)
    return exits.DONE


def _attribute(terminal: Terminal, one: AttributeRecord) -> None:
    terminal.say()
    terminal.say(Text.assemble((safe(one.name), "bold"), " = ", shown(one.value)))
    run = "" if one.run is None else f" in run {one.run}"
    as_of = "" if one.as_of is None else f", as of {moment(one.as_of)}"
    terminal.say(f"  last written by {safe(one.sync)}{run}{as_of}")
    for change in one.changes:
        terminal.say(f"  {changed(change)}  {_cause(change)}")


def _cause(change: Change) -> str:
    run = "a run that is forgotten" if change.run is None else f"run {change.run}"
    at = "" if change.at is None else f" at {moment(change.at)}"
    row = "" if change.row_number is None else f", row {change.row_number}"
    query = "" if change.query is None else f", query {change.query}"
    return f"{safe(change.sync)}, {run}{at}{row}{query}"


def _sync(terminal: Terminal, sync: SyncTrace) -> None:
    terminal.say()
    run = "" if sync.run is None else f", newest from run {sync.run}"
    row = "" if sync.row_number is None else f", row {sync.row_number}"
    terminal.say(Text.assemble(("sync ", "dim"), (safe(sync.sync), "bold"), f"{run}{row}"))
    for one in sync.targets:
        _target(terminal, one)


def _target(terminal: Terminal, one: TargetTrace) -> None:
    sign, style = ("✓", "green") if one.standing in GOOD else ("!", "yellow")
    code = f" [{one.code}]" if one.code else ""
    reason = f": {safe(one.reason)}" if one.reason else ""
    line = Text.assemble("  ", (sign, style), f" {safe(one.target)}: {WORDS[one.standing]}")
    terminal.say(line.append(f"{reason}{code}"))
    if one.run is not None:
        delivery = "" if one.delivery is None else f", by delivery {one.delivery}"
        at = "" if one.at is None else f" at {moment(one.at)}"
        terminal.say(f"      acknowledged: the values of run {one.run}{delivery}{at}")
