"""rowlift serve."""

import os
import time

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import safe
from rowlift.core.errors import StateError
from rowlift.scheduler.service import ServiceLoop


class Log:
    """A line for each beginning and end, with the time in UTC; phases are left out."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def phase(self, task: str, phase: str, total: int | None = None) -> None: ...

    def advance(self, task: str, rows: int) -> None: ...

    def note(self, task: str, text: str) -> None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._terminal.note(f"{moment}  {safe(task)}: {safe(text)}", style="")


@_command
def command(terminal: Terminal) -> int:
    """Begins a run at each slot of a schedule and when it is asked for, and delivers beside it.

    Changed files are taken in without a restart. Ctrl-C or SIGTERM ends it in order, within 15 s;
    ended in any other way, the next start goes on where it stopped.
    """
    with terminal.project(Log(terminal)) as project:
        try:
            ServiceLoop(project.serving()).run()
        except StateError as error:
            if error.code != "DRAIN_LATE":
                raise
            terminal.error(error)
            os._exit(exits.FAILED)  # a thread that hangs in a driver would keep the process
    terminal.note("Ended in order.")
    return exits.DONE
