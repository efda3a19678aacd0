"""rowlift apply."""

import getpass
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.estimates import show_estimate
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted, safe
from rowlift.operations.applying import DefinitionChange

Prune = Annotated[
    bool, typer.Option("--prune", help="Archive what the files do not declare any more.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Let files manage what was made in Rowlift.")
]
MARKS = {"created": "+", "left": "·", "archived": "-"}


@_command
def command(
    terminal: Terminal, prune: Prune = False, dry_run: DryRun = False, take_over: TakeOver = False
) -> int:
    """For a state that a service elsewhere works with: ROWLIFT_STATE_URL says which.

    Commands that run in the folder take its files in by themselves, and archive what vanished. This
    one says first what changes, archives only with --prune, and previews every new trait: if a
    preview stops, nothing is changed at all.
    """
    with terminal.working() as project:
        changes = project.definitions.by(user(), "apply").apply(
            prune=prune, take_over=take_over, dry_run=dry_run, on_plan=partial(_show, terminal)
        )
    for one in changes:
        if one.estimate:
            terminal.say(safe(one.name), style="bold")
            show_estimate(terminal, one.estimate)
    done = "would change" if dry_run else "changed"
    changed = sum(one.change != "left" for one in changes)
    terminal.say(f"✓ {counted(changed, 'definition')} {done}")
    terminal.document("apply", changes=changes, applied=not dry_run)
    return exits.DONE


def user() -> str:
    """Return the name of whoever runs the program."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def show_diff(terminal: Terminal, diff: str) -> None:
    """Print a unified diff."""
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in diff.splitlines()[2:]:
        terminal.say(f"    {safe(line)}", style=colours.get(line[:1], "dim"))


def _show(terminal: Terminal, changes: Sequence[DefinitionChange]) -> None:
    for one in changes:
        mark = MARKS.get(one.change, "~")
        terminal.say(f"{mark} {one.kind} {safe(one.name)} {one.change}", style="bold")
        show_diff(terminal, one.diff)
