"""rowlift restore."""

import os
from pathlib import Path
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted, moment
from rowlift.operations.restoring import restore

File = Annotated[Path, typer.Argument(help="What rowlift backup wrote.", metavar="FILE")]
Replace = Annotated[
    bool, typer.Option("--replace", help="Put it in the place of the state that is there.")
]


@_command
def command(terminal: Terminal, file: File, replace: Replace = False) -> int:
    """Nothing is touched before all of the backup was found to be as it was written.

    What destinations hold by now cannot be known, so the next run of each sync sends them every
    row again, with new message ids. Everybody has to sign in again.
    """
    report = restore(terminal.folder, os.environ, file, replace=replace)
    files = counted(report.files, "file")
    terminal.say(f"✓ restored the state of {moment(report.made_at)}, with {files}")
    if report.key_missing:
        terminal.say("  Put secret.key back into the data directory, or set ROWLIFT_SECRET_KEY.")
    terminal.note("Revoke again what API tokens and write keys were revoked since.")
    terminal.document("restore", restore=report)
    return exits.DONE
