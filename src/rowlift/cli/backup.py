"""rowlift backup."""

import os
from pathlib import Path
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted, safe
from rowlift.operations.backups import back_up

File = Annotated[Path, typer.Argument(help="A new file; it holds personal data.", metavar="FILE")]
WithKey = Annotated[
    bool, typer.Option("--with-key", help="Put the key of the sealed secrets into it too.")
]


@_command
def command(terminal: Terminal, file: File, with_key: WithKey = False) -> int:
    """Everything that is remembered, as it is at one moment; nothing has to be stopped for it.

    The project's files are no part of it, nor are secrets that they refer to.
    """
    report = back_up(terminal.folder, os.environ, file, with_key=with_key)
    size = f"{report.bytes:,} bytes"
    terminal.say(f"✓ {safe(file)}: the state and {counted(report.files, 'file')}, {size}")
    if not report.with_key:
        terminal.note("Keep a copy of secret.key apart, if there is one: it is not in it.")
    terminal.document("backup", backup=report)
    return exits.DONE
