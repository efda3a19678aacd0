"""rowlift export."""

from pathlib import Path
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted, safe

Folder = Annotated[Path, typer.Argument(help="A new folder, or one without these files.")]


@_command
def command(terminal: Terminal, folder: Folder) -> int:
    """Secrets are left out: the files expect them in variables, whose names are printed.

    Applied with rowlift apply --take-over, the files manage what was made in Rowlift before.
    """
    with terminal.project() as project:
        written = project.definitions.export(folder)
    terminal.say(f"✓ {counted(len(written.files), 'file')} in {safe(folder)}")
    for name in written.variables:
        terminal.say(f"  set {name}")
    terminal.document("files", files=written)
    return exits.DONE
