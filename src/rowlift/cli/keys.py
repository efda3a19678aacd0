"""rowlift keys."""

from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.records import grid
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, moment, safe
from rowlift.core.errors import ConfigError
from rowlift.operations.callers import CONSOLE

USAGE = "rowlift keys [list]; create or revoke and NAME"

Words = Annotated[
    list[str] | None,
    typer.Argument(help="list; create NAME; revoke NAME.", metavar="[list|create|revoke] [NAME]"),
]


@_command
def command(terminal: Terminal, words: Words = None) -> int:
    """A write key lets an SDK of Segment's protocol send people and events to this workspace.

    It is shown once, when it is made; only its hash is kept. It reads nothing.
    """
    match words or ["list"]:
        case ["list"]:
            return _list(terminal)
        case ["create", name]:
            return _create(terminal, name)
        case ["revoke", name]:
            return _revoke(terminal, name)
    raise ConfigError("VALUE_WRONG", "keys was asked for something else.", mend=USAGE)


def _list(terminal: Terminal) -> int:
    with terminal.project() as project:
        found = project.ingest.keys()
    table = grid("name", "ends with", "made")
    for one in found:
        table.add_row(cell(one.name), one.ending, moment(one.created_at))
    if found:
        terminal.show(table)
    else:
        terminal.say("No keys yet. Make one: rowlift keys create NAME")
    terminal.document("keys", keys=found)
    return exits.DONE


def _create(terminal: Terminal, name: str) -> int:
    with terminal.project() as project:
        made = project.ingest.create_key(name)
        project.access.audit.note(CONSOLE, "key.create", made.name)
    terminal.say(f"✓ {safe(made.name)} is there. Its key is shown this once:")
    terminal.say(made.secret, style="bold")
    terminal.document("key", key=made)
    return exits.DONE


def _revoke(terminal: Terminal, name: str) -> int:
    with terminal.project() as project:
        project.ingest.revoke_key(name)
        project.access.audit.note(CONSOLE, "key.revoke", name)
        left = project.ingest.keys()
    terminal.say(f"✓ {safe(name)} is revoked; within seconds it is refused")
    terminal.document("keys", keys=left)
    return exits.DONE
