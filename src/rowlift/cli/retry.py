"""rowlift retry."""

from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.report import BAD, show_deliveries
from rowlift.cli.runs import LARGEST
from rowlift.cli.terminal import Terminal

Run = Annotated[
    int,
    typer.Argument(help="The run's number, see rowlift runs.", metavar="RUN", min=1, max=LARGEST),
]


@_command
def command(terminal: Terminal, run: Run) -> int:
    """Each row goes in its newest version. Rows that broke a rule come back with the next run."""
    with terminal.working() as project:
        done = project.retry(run)
    for one in done:
        show_deliveries(terminal, one)
    terminal.document("run", runs=done)
    failed = any(delivery.status in BAD for one in done for delivery in one.deliveries)
    return exits.FAILED if failed else exits.DONE
