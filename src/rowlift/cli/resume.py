"""rowlift resume."""

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.pause import Sync, show_sync
from rowlift.cli.terminal import Terminal
from rowlift.operations.callers import CONSOLE


@_command
def command(terminal: Terminal, name: Sync) -> int:
    """It goes on with the next run; nothing was lost meanwhile."""
    with terminal.project() as project:
        project.resume(name)
        project.access.audit.note(CONSOLE, "sync.resume", name)
        show_sync(terminal, project, name, "runs again")
    return exits.DONE
