"""rowlift init."""

from pathlib import Path
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import safe

Folder = Annotated[Path, typer.Argument(help="The folder to create.", metavar="FOLDER")]


@_command
def command(terminal: Terminal, folder: Folder) -> int:
    """A file that is there already is left as it is; the schemas for editors are written anew."""
    from rowlift.operations.kinds import KINDS
    from rowlift.project.scaffold import scaffold

    made = scaffold(folder, KINDS)
    for name in made.written:
        terminal.say(f"✓ {safe(folder / name)}")
    for name in made.kept:
        terminal.say(f"· {safe(folder / name)} was there and is left as it is", style="dim")
    where = safe(folder)
    terminal.say(f"Next: fill in {where}/connections.yml, then: rowlift -C {where} debug")
    terminal.document("init", folder=str(folder), files=made.written)
    return exits.DONE
