"""rowlift objects."""

from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.people import After, History, Limit
from rowlift.cli.records import grid, show_record
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, moment, safe
from rowlift.cli.why import show_sync
from rowlift.core.errors import ConfigError

USAGE = "rowlift objects [list], or show TYPE ID, or why TYPE ID"

Words = Annotated[
    list[str] | None,
    typer.Argument(
        help="list, or show TYPE ID, or why TYPE ID.", metavar="[list|show|why] [TYPE ID]"
    ),
]


@_command
def command(
    terminal: Terminal,
    words: Words = None,
    limit: Limit = 20,
    after: After = 0,
    history: History = False,
) -> int:
    """Accounts are objects of type 1; their ID is the group_id.

    why says of each sync what destinations acknowledged last of the object, or why not.
    """
    match words or ["list"]:
        case ["list"]:
            return _list(terminal, limit, after)
        case ["show", object_type, object_id]:
            return _show(terminal, object_type, object_id, history=history)
        case ["why", object_type, object_id]:
            return _why(terminal, object_type, object_id)
    raise ConfigError("VALUE_WRONG", "objects was asked for something else.", mend=USAGE)


def _list(terminal: Terminal, limit: int, after: int) -> int:
    with terminal.project() as project:
        found = project.objects(limit, after=after)
    table = grid("number", "type", "id", "attributes", "first known", "by")
    for one in found:
        table.add_row(
            str(one.number), cell(one.object_type), cell(one.object_id), str(len(one.attributes)),
            moment(one.first_known), cell(one.first_sync),
        )  # fmt: skip
    if found:
        terminal.show(table)
        if len(found) == limit:
            terminal.note(f"Go on with --after {found[-1].number}")
    else:
        terminal.say("No objects are there.")
    terminal.document("objects", objects=found)
    return exits.DONE


def _show(terminal: Terminal, object_type: str, object_id: str, *, history: bool) -> int:
    with terminal.project() as project:
        found = project.object(object_type, object_id, history=history)
    terminal.say(f"{safe(found.object_type)} {safe(found.object_id)}", style="bold")
    show_record(terminal, found)
    terminal.document("object", object=found)
    return exits.DONE


def _why(terminal: Terminal, object_type: str, object_id: str) -> int:
    with terminal.project() as project:
        found = project.why_object(object_type, object_id)
    terminal.say(f"{safe(object_type)} {safe(object_id)}", style="bold")
    for one in found:
        show_sync(terminal, one)
    if not found:
        terminal.say("  No sync has a row of it.")
    terminal.document("object_why", syncs=found)
    return exits.DONE
