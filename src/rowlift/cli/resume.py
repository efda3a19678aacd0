"""rowlift resume."""

from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.pause import Sync, show_sync
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted
from rowlift.operations.callers import CONSOLE

Unpin = Annotated[
    bool, typer.Option("--unpin", help="Let come back what was undone, see rowlift undo.")
]


@_command
def command(terminal: Terminal, name: Sync, unpin: Unpin = False) -> int:
    """It goes on with the next run; nothing was lost meanwhile."""
    with terminal.project() as project:
        if unpin:
            rows = project.undone.unpin(name)
            project.access.audit.note(CONSOLE, "sync.unpin", name, after={"rows": rows})
            terminal.say(f"✓ {counted(rows, 'row')} may come back as the source has them")
        project.resume(name)
        project.access.audit.note(CONSOLE, "sync.resume", name)
        show_sync(terminal, project, name, "runs again")
    return exits.DONE
