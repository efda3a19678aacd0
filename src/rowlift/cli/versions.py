"""rowlift versions."""

from typing import Annotated, Literal

import typer
from rich.table import Table

from rowlift.cli import exits
from rowlift.cli.apply import show_diff, user
from rowlift.cli.options import command as _command
from rowlift.cli.runs import LARGEST
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, moment, safe
from rowlift.operations.callers import CONSOLE
from rowlift.operations.definitions import Definitions

Name = Annotated[str, typer.Argument(help="The sync.", metavar="NAME")]
Kind = Annotated[
    Literal["sync", "forward", "audience", "source", "destination", "channel", "workspace"],
    typer.Option(help="What NAME is, if it is no sync."),
]
Number = Annotated[
    int | None, typer.Option(help="Show what this version changed.", min=1, max=LARGEST)
]
Against = Annotated[
    int | None,
    typer.Option(help="With --diff: against this one instead of the one before.", min=1),
]
Back = Annotated[
    int | None,
    typer.Option(help="Make a new version of what this one was.", min=1, max=LARGEST),
]


@_command
def command(
    terminal: Terminal,
    name: Name,
    kind: Kind = "sync",
    diff: Number = None,
    against: Against = None,
    restore: Back = None,
) -> int:
    """What files manage goes back in its file; what was made in Rowlift goes back with --restore.

    Secrets are no part of a version: they stay those of now.
    """
    with terminal.project() as project:
        door = project.definitions.by(user(), "cli")
        if restore is not None:
            told = {"version": restore}
            done = _restore(terminal, door, kind, name, restore)
            project.access.audit.note(CONSOLE, f"{kind}.restore", name, after=told)
            return done
        if diff is not None:
            return _diff(terminal, door.diff(kind, name, diff, against))
        return _list(terminal, door, kind, name)


def _list(terminal: Terminal, door: Definitions, kind: str, name: str) -> int:
    versions = door.versions(kind, name)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("version", "since", "by", "from", "name"):
        table.add_column(title, overflow="fold")
    for one in versions:
        since = moment(one.created_at)
        named = f"{cell(one.name)} (archived)" if one.archived else cell(one.name)
        table.add_row(str(one.version), since, cell(one.actor), cell(one.origin), named)
    terminal.show(table)
    terminal.document("versions", versions=versions)
    return exits.DONE


def _diff(terminal: Terminal, diff: str) -> int:
    show_diff(terminal, diff)
    terminal.document("diff", diff=diff)
    return exits.DONE


def _restore(terminal: Terminal, door: Definitions, kind: str, name: str, version: int) -> int:
    now = door.get(kind, name)
    made = door.restore(kind, name, version, expected=now.version)
    terminal.say(f"✓ {safe(name)} is at version {made.version}, as it was at {version}")
    terminal.document("definition", definition=made)
    return exits.DONE
