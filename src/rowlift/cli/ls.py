"""rowlift ls."""

from rich.table import Table

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.report import mark
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, moment


@_command
def command(terminal: Terminal) -> int:
    with terminal.project() as project:
        found = project.ls()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("sync", "kind", "source", "destinations", "last run", "last_sync_time"):
        table.add_column(name, overflow="fold")
    for one in found:
        last = "paused; " if one.paused else ""
        last += f"{mark(one.last_run.status)[0]} {one.last_run.status}" if one.last_run else "never"
        destinations = ", ".join(map(cell, one.destinations)) or "workspace only"
        name, source, time = cell(one.name), cell(one.source), moment(one.last_sync_time)
        table.add_row(name, one.kind, source, destinations, last, time)
    if found:
        terminal.show(table)
    else:
        terminal.say("No syncs yet. Write one: syncs/NAME.yml")
    terminal.document("ls", syncs=found)
    return exits.DONE
