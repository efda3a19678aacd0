"""rowlift pause."""

from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import safe
from rowlift.operations.callers import CONSOLE
from rowlift.operations.project import Project

Sync = Annotated[str, typer.Argument(help="The sync.", metavar="NAME")]


@_command
def command(terminal: Terminal, name: Sync) -> int:
    """A run that has begun goes on. What is remembered stays, and what is due stays due."""
    with terminal.project() as project:
        project.pause(name)
        project.access.audit.note(CONSOLE, "sync.pause", name)
        show_sync(terminal, project, name, "is paused: no run of it begins")
    return exits.DONE


def show_sync(terminal: Terminal, project: Project, name: str, words: str) -> None:
    """Say what a sync does from here on."""
    terminal.say(f"✓ {safe(name)} {words}")
    found = [one for one in project.ls() if one.name == name]
    terminal.document("ls", syncs=found, service=project.service.status())
