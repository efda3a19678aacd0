"""rowlift trigger."""

from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.run import AllowRemovals
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import safe

Names = Annotated[list[str], typer.Argument(help="Syncs to run.", metavar="NAME…")]


@_command
def command(terminal: Terminal, names: Names, allow_removals: AllowRemovals = False) -> int:
    """It begins as soon as no other run is active, before any schedule's turn.

    Without a service, rowlift run does the work itself.
    """
    with terminal.project() as project:
        asked = project.service.trigger(names, allow_removals=allow_removals)
    for one in asked:
        terminal.say(f"✓ {safe(one.sync)} runs next; request {one.id}")
    terminal.document("requests", requests=asked)
    return exits.DONE
