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
from rowlift.operations.traces import Membership, Standing, SyncTrace, TargetTrace

INGEST = "ingest"
WORDS = {
    Standing.DELIVERED: "has the newest version",
    Standing.UNCHANGED: "has it already; the last run brought nothing new",
    Standing.UNDONE: "as an undo left it",
    Standing.REJECTED: "rejected",
    Standing.HELD: "held; each run judges it again until it passes",
    Standing.IN_DOUBT: "in doubt; it is sent again with the same message id",
    Standing.PENDING: "not delivered yet, still due",
    Standing.SKIPPED: "skipped",
    Standing.PAUSED: "paused",
    Standing.STOPPED: "not sent, because the last run was stopped before it changed anything",
    Standing.PLAN_WAITS: "not sent, because a plan waits for somebody's word",
    Standing.NEVER: "never delivered",
    Standing.NEVER_RAN: "not sent, because the sync never ran",
    Standing.NO_IDENTIFIER: "not sent, because the sync cannot know them",
    Standing.NOT_IN_QUERY: "not in the query",
    Standing.NOT_A_MEMBER: "not in the audience or segment",
    Standing.SUPPRESSED: "suppressed",
    Standing.LEFT: "not in the query any more; kept as it was",
    Standing.REMOVED: "not in the query any more; taken back",
}
GOOD = frozenset(
    {Standing.DELIVERED, Standing.UNCHANGED, Standing.UNDONE, Standing.LEFT, Standing.REMOVED}
)

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

    Then, for every sync of people, what each destination acknowledged last, or why the newest
    values did not go there.
    """
    with terminal.project() as project:
        found = project.why(who, attribute, destination=destination)
    show_identifiers(terminal, found.id, found.email, found.anonymous_ids)
    if found.suppressed_since is not None:
        since = moment(found.suppressed_since)
        terminal.say(f"  suppressed since {since}: nothing of theirs is sent", style="yellow")
    show_merges(terminal, found.merges)
    for segment in found.segments if attribute is None else ():
        terminal.say(f"  {_membership(segment)}")
    for one in found.attributes:
        _attribute(terminal, one)
    for sync in (*found.syncs, *found.absent, *found.relationships):
        show_sync(terminal, sync, attribute)
    for name in found.unreached:
        terminal.say(f"  No sync sends people to {safe(name)}.")
    terminal.document("why", why=found)
    return exits.DONE


def _attribute(terminal: Terminal, one: AttributeRecord) -> None:
    terminal.say()
    terminal.say(Text.assemble((safe(one.name), "bold"), " = ", shown(one.value)))
    run = "" if one.run is None else f" in run {one.run}"
    as_of = "" if one.as_of is None else f", as of {moment(one.as_of)}"
    row = _place(one.row_number, one.query)
    terminal.say(f"  last written by {_writer(one)}{run}{row}{as_of}")
    for change in one.changes:
        terminal.say(f"  {changed(change)}  {_cause(change)}")


def _writer(one: AttributeRecord) -> str:
    return "messages" if one.sync == INGEST and one.run is None else safe(one.sync)


def _cause(change: Change) -> str:
    run = "a run that is forgotten" if change.run is None else f"run {change.run}"
    at = "" if change.at is None else f" at {moment(change.at)}"
    return f"{safe(change.sync)}, {run}{at}{_place(change.row_number, change.query)}"


def _place(row_number: int | None, query: str | None) -> str:
    row = "" if row_number is None else f", row {row_number}"
    return row if query is None else f"{row}, query {query}"


def _membership(one: Membership) -> str:
    kind = "audience" if one.is_audience else "segment"
    how = (
        f"since {moment(one.entered_at)}" if one.left_at is None else f"left {moment(one.left_at)}"
    )
    by = "" if one.is_audience else f" by {safe(one.sync or 'hand')}"
    run = "" if one.run is None else f", run {one.run}"
    return f"{kind} {safe(one.segment)}, {how}{by}{run}"


def show_sync(terminal: Terminal, sync: SyncTrace, attribute: str | None = None) -> None:
    """Print a row of a sync and where it stands at each target."""
    terminal.say()
    run = "" if sync.run is None else f", newest from run {sync.run}"
    row = "" if sync.row_number is None else f", row {sync.row_number}"
    link = f", relationship {safe(' · '.join(sync.relates))}" if sync.relates else ""
    terminal.say(Text.assemble(("sync ", "dim"), (safe(sync.sync), "bold"), f"{link}{run}{row}"))
    for one in sync.targets:
        _target(terminal, one)
        left_out = [name for name in one.left_out if attribute in (None, name)]
        if left_out:
            terminal.say(f"      the sync leaves out: {', '.join(map(safe, left_out))}")


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
