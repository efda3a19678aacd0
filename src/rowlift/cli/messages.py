"""rowlift messages."""

from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.forward import show_forward, show_forwards
from rowlift.cli.options import command as _command
from rowlift.cli.people import Limit
from rowlift.cli.records import grid
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, moment
from rowlift.core.errors import ConfigError

USAGE = "rowlift messages [rejects]; messages events WHO; messages forwards [NAME]"

Words = Annotated[
    list[str] | None,
    typer.Argument(
        help="rejects; events WHO; forwards [NAME].",
        metavar="[rejects|events|forwards] [WHO|NAME]",
    ),
]


@_command
def command(terminal: Terminal, words: Words = None, limit: Limit = 20) -> int:
    """A message is answered when it is durable and judged later, as Segment does it.

    rejects has those that could not be written, the newest first; events what a person did;
    forwards how each forward stands, or the events that one's destination refused.
    """
    match words or ["rejects"]:
        case ["rejects"]:
            return _rejects(terminal, limit)
        case ["events", who]:
            return _events(terminal, who, limit)
        case ["forwards"]:
            return _forwards(terminal)
        case ["forwards", name]:
            return _forward(terminal, name, limit)
    raise ConfigError("VALUE_WRONG", "messages was asked for something else.", mend=USAGE)


def _rejects(terminal: Terminal, limit: int) -> int:
    with terminal.project() as project:
        found = project.ingest.rejects(limit)
    table = grid("at", "type", "identifier", "code", "reason")
    for one in found:
        table.add_row(
            moment(one.at), cell(one.type), cell(one.identifier), one.code, cell(one.reason)
        )
    if found:
        terminal.show(table)
    else:
        terminal.say("No message was refused.")
    terminal.document("message_rejects", rejects=found)
    return exits.DONE


def _forwards(terminal: Terminal) -> int:
    with terminal.project() as project:
        found = project.ingest.forwards.list()
    show_forwards(terminal, found)
    return exits.DONE


def _forward(terminal: Terminal, name: str, limit: int) -> int:
    with terminal.project() as project:
        door = project.ingest.forwards
        one, refused = door.get(name), door.rejects(name, limit)
    show_forward(terminal, one, refused)
    return exits.DONE


def _events(terminal: Terminal, who: str, limit: int) -> int:
    with terminal.project() as project:
        found = project.ingest.events(who, limit)
    table = grid("at", "kind", "name", "properties")
    for one in found:
        table.add_row(moment(one.at), one.kind, cell(one.name), cell(one.properties))
    if found:
        terminal.show(table)
    else:
        terminal.say("Nothing happened.")
    terminal.document("message_events", events=found)
    return exits.DONE
