"""rowlift ls."""

from collections.abc import Sequence

from rich.table import Table

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.report import mark
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, moment
from rowlift.operations.reports import ServiceReport, SyncReport


@_command
def command(terminal: Terminal) -> int:
    with terminal.project() as project:
        found, service = project.ls(), project.service.status()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in (
        "sync",
        "kind",
        "source",
        "destinations",
        "last run",
        "next slot",
        "last_sync_time",
    ):
        table.add_column(name, overflow="fold")
    for one in found:
        last = "Paused; " if one.paused else ""
        last += f"{mark(one.last_run.status)[0]} {one.last_run.status}" if one.last_run else "never"
        destinations = ", ".join(map(cell, one.destinations)) or "workspace only"
        name, source, time = cell(one.name), cell(one.source), moment(one.last_sync_time)
        table.add_row(name, one.kind, source, destinations, last, _next(one), time)
    if found:
        terminal.show(table)
        _say_service(terminal, found, service)
    else:
        terminal.say("No syncs yet. Write one: syncs/NAME.yml")
    terminal.document("ls", syncs=found, service=service)
    return exits.DONE


def _next(one: SyncReport) -> str:
    if one.schedule is None:
        return "by hand"
    return "after resume" if one.paused else moment(one.next_slot)


def _say_service(
    terminal: Terminal, found: Sequence[SyncReport], service: ServiceReport | None
) -> None:
    """Say who begins what is scheduled, if anything is."""
    if service and service.is_alive:
        terminal.say(f"Served by {service.place} since {moment(service.started_at)}", style="dim")
    elif any(one.schedule for one in found):
        last = f"; the last one was heard of {moment(service.beat_at)}" if service else ""
        terminal.say(f"No service runs these schedules{last}. Start it: rowlift serve", style="dim")
