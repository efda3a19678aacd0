"""rowlift suppress."""

from pathlib import Path
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.names import names_in
from rowlift.cli.options import command as _command
from rowlift.cli.people import Limit
from rowlift.cli.runs import LARGEST
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted, moment, safe
from rowlift.core.errors import ConfigError
from rowlift.operations.callers import CONSOLE

Who = Annotated[
    list[str] | None,
    typer.Argument(
        help="An address, an id, or id:…, email:…, anonymous_id:….",
        metavar="WHO",
        show_default=False,
    ),
]
File = Annotated[
    Path | None, typer.Option("--file", help="A file with one WHO in each line.", metavar="FILE")
]
Note = Annotated[str, typer.Option("--note", help="Why, for the list.")]
Undo = Annotated[bool, typer.Option("--undo", help="Process them again.")]
List = Annotated[bool, typer.Option("--list", help="List who is suppressed, by hash.")]
Before = Annotated[
    int | None, typer.Option(help="--list: from the one before this number.", min=1, max=LARGEST)
]


@_command
def command(  # noqa: PLR0913, PLR0917 - each is an option
    terminal: Terminal,
    who: Who = None,
    file: File = None,
    note: Note = "",
    undo: Undo = False,
    listing: List = False,
    limit: Limit = 20,
    before: Before = None,
) -> int:
    """Suppressed people get no change by any sync, in the workspace and at every destination.

    Destinations that have them are told to delete, clear or suppress them. Only keyed hashes of
    their identifiers are kept.
    """
    if listing:
        return _list(terminal, limit, before)
    named = [*(who or ()), *(names_in(file) if file else ())]
    if not named:
        mend = "rowlift suppress ann@example.com, or --file FILE, or --list"
        raise ConfigError("USAGE", "Nobody is named.", mend=mend)
    with terminal.working() as project:
        done = project.unsuppress(named) if undo else project.suppress(named, note=note)
        action, told = "unsuppress" if undo else "suppress", {"identifiers": done.identifiers}
        project.access.audit.note(CONSOLE, action, after=told)
    what = "no longer suppressed" if undo else "suppressed"
    terminal.say(f"✓ {counted(done.identifiers, 'identifier')} {what}")
    terminal.say(f"  known in the workspace: {done.people:,}")
    terminal.document("suppress", suppression=done)
    return exits.DONE


def _list(terminal: Terminal, limit: int, before: int | None) -> int:
    with terminal.project() as project:
        found = project.suppressions(limit, before=before)
    for one in found:
        row = f"{one.hash[:12]}  {one.kind:<12} {moment(one.since)}  {safe(one.note)}"
        terminal.say(row.rstrip())
    if not found:
        terminal.say("Nobody is suppressed." if before is None else "Nobody else is suppressed.")
    if len(found) == limit:
        terminal.note(f"Go on with --before {found[-1].number}")
    terminal.document("suppressions", suppressions=found)
    return exits.DONE
