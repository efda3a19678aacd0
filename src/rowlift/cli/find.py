"""rowlift find."""

from typing import Annotated

import typer
from rich.text import Text

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.records import show_identifiers
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import moment, safe
from rowlift.operations.finding import Rejection

Who = Annotated[
    str, typer.Argument(help="id:VALUE, email:VALUE, anonymous_id:VALUE, or a bare value.")
]


@_command
def command(terminal: Terminal, who: Who) -> int:
    """Says where the newest values of somebody are, and lists each row of theirs that did not go.

    Rows are looked for in all runs that are kept, also by values of other columns.
    """
    with terminal.project() as project:
        found = project.find(who)
    if found.why:
        show_identifiers(terminal, found.why.id, found.why.email, found.why.anonymous_ids)
        for sync in found.why.syncs:
            for to in sync.targets:
                at = "" if to.at is None else f" at {moment(to.at)}"
                run = "" if to.run is None else f", values of run {to.run}{at}"
                code = f" [{to.code}]" if to.code else ""
                terminal.say(f"  {safe(sync.sync)} → {safe(to.target)}: {to.standing}{run}{code}")
    for one in found.rejections:
        _rejection(terminal, one)
    if not (found.why or found.rejections):
        terminal.say("Nobody is known by that, and no row of theirs was rejected.")
    terminal.document("find", found=found)
    return exits.DONE


def _rejection(terminal: Terminal, one: Rejection) -> None:
    row = "" if one.row_number is None else f", row {one.row_number}"
    place = f" at {safe(one.target)}" if one.target else ""
    line = Text.assemble("  ", ("!", "yellow"), f" run {one.run} of {safe(one.sync)}{row}{place}: ")
    terminal.say(line.append(f"{safe(one.reason)} [{one.code}]"))
