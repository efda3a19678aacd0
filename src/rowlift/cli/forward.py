"""rowlift forward."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.records import grid
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, moment
from rowlift.core.errors import ConfigError
from rowlift.core.nouns import Status
from rowlift.operations.callers import CONSOLE
from rowlift.operations.forwarding import ForwardReport
from rowlift.operations.project import Project
from rowlift.state.forwards import ForwardReject

Names = Annotated[
    list[str] | None, typer.Argument(help="Forwards; all when none is given.", metavar="NAME…")
]

Since = Annotated[
    datetime | None,
    typer.Option(help="Send again first what came since this moment in UTC.", metavar="MOMENT"),
]
Message = Annotated[
    str | None,
    typer.Option("--from", help="Send again first, from this event's message on.", metavar="ID"),
]

_FAILED = frozenset({Status.FAILED, Status.SOME_ROWS_FAILED})


@_command
def command(
    terminal: Terminal, names: Names = None, since: Since = None, message: Message = None
) -> int:
    """The service does so by itself, within seconds; this needs none, and waits for nothing.

    How forwards stand, and what destinations refused: rowlift messages forwards.
    """
    with terminal.working() as project:
        if since or message:
            _rewind(project, names or (), since, message or "")
        done = project.ingest.forwards.run(tuple(names or ()))
    show_forwards(terminal, done)
    return exits.FAILED if any(one.status in _FAILED for one in done) else exits.DONE


def _rewind(project: Project, names: Sequence[str], since: datetime | None, message: str) -> None:
    if len(names) != 1:
        mend = "rowlift forward NAME --since 2026-11-20T08:00:00"
        raise ConfigError("USAGE", "One forward is set back at a time.", mend=mend)
    moment = since.replace(tzinfo=UTC) if since else None
    project.ingest.forwards.rewind(names[0], since=moment, message_id=message)
    told = {"since": moment, "message_id": message}
    after = {name: str(one) for name, one in told.items() if one}
    project.access.audit.note(CONSOLE, "forward.rewind", names[0], after=after)


def show_forwards(terminal: Terminal, found: Sequence[ForwardReport]) -> None:
    """Show how forwards stand."""
    titles = ("forward", "destination", "status", "waiting", "delivered", "rejected", "suppressed")
    table = grid(*titles, "skipped", "reason")
    for one in found:
        counts = (one.waiting, one.delivered, one.rejected, one.suppressed, one.skipped)
        numbers = (f"{count:,}" for count in counts)
        table.add_row(one.name, one.destination, one.status.value, *numbers, cell(one.reason))
    if found:
        terminal.show(table)
    else:
        terminal.say("No forward is declared.")
    terminal.document("forwards", forwards=found)


def show_forward(terminal: Terminal, one: ForwardReport, rejects: Sequence[ForwardReject]) -> None:
    """Show the events that a forward's destination refused."""
    table = grid("at", "type", "name", "identifier", "code", "reason")
    for each in rejects:
        table.add_row(
            moment(each.at), each.type, cell(each.name), cell(each.identifier), each.code,
            cell(each.reason),
        )  # fmt: skip
    if rejects:
        terminal.show(table)
    else:
        terminal.say("No event was refused.")
    terminal.document("forward", forward=one, rejects=rejects)
