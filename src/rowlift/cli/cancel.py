"""rowlift cancel."""

from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal

Run = Annotated[
    int, typer.Argument(help="The run, by its number.", metavar="RUN", min=1, max=2**63 - 1)
]


@_command
def command(terminal: Terminal, run: Run) -> int:
    """Whichever process carries it ends it within seconds; its deliveries end with it.

    What was done stays done, and what is due stays due: the next run goes on from there.
    """
    with terminal.project() as project:
        report = project.service.cancel(run)
    terminal.say(f"✓ Run {run} of {report.sync} is asked to end. See: rowlift runs {run}")
    terminal.document("run", runs=[report], undo=None)
    return exits.DONE
