"""rowlift status."""

import time
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.records import grid
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, counted, lasted, moment, safe
from rowlift.operations.alerting import AlertReport, ChannelReport
from rowlift.operations.freshness import Freshness
from rowlift.operations.reports import ServiceReport
from rowlift.project.units import duration, percent

Name = Annotated[
    str | None, typer.Argument(help="A sync, with each of its attributes.", metavar="[SYNC]")
]


@_command
def command(terminal: Terminal, sync: Name = None) -> int:
    """Late is what is older, by the time of its source, than fresh_within of the sync allows.

    A destination has what it is sent once no row is on its way any more. What is late, or wrong in
    another way, makes the exit code 1.
    """
    with terminal.project() as project:
        alerts = project.alerts
        alerts.look()
        fresh, wrong, channels = alerts.freshness(sync), alerts.wrong(), alerts.channels()
        service = project.service.status()
        syncs = [project.sync(sync)] if sync else project.ls()
    undone = {one.name: one.undone for one in syncs if one.undone}
    _say_service(terminal, service)
    say_wrong(terminal, wrong)
    for one in channels:
        if one.failing:
            terminal.say(f"✗ channel {cell(one.name)} fails: {cell(one.problem)}", style="red")
    _say_undone(terminal, undone)
    if fresh:
        terminal.show(_table(fresh))
    terminal.document(
        "status", service=service, wrong=wrong, channels=channels, freshness=fresh, undone=undone
    )  # fmt: skip
    is_bad = wrong or any(one.late for one in fresh) or any(one.failing for one in channels)
    return exits.FAILED if is_bad else exits.DONE


def say_wrong(terminal: Terminal, wrong: Sequence[AlertReport]) -> None:
    """Print what is wrong now, or that nothing is."""
    for one in wrong:
        where = " → ".join(cell(name) for name in (one.sync, one.destination) if name)
        run = f", run {one.run}" if one.run else ""
        code = f" [{one.code}]" if one.code else ""
        since = moment(one.since)
        terminal.say(f"✗ {where}: {one.text}{code} (since {since}{run})", style="red")
    if not wrong:
        terminal.say("✓ nothing is wrong")


def show_channels(terminal: Terminal, channels: Sequence[ChannelReport]) -> None:
    """Print the channels and whether they take what they are told."""
    table = grid("channel", "type", "waiting", "last tried", "")
    for one in channels:
        said = f"fails: {cell(one.problem)}" if one.failing else ""
        table.add_row(
            cell(one.name), one.type, str(one.waiting or ""), moment(one.tried_at), said
        )  # fmt: skip
    terminal.show(table)


def _say_service(terminal: Terminal, service: ServiceReport | None) -> None:
    if service is None:
        terminal.say("No service ever ran here.", style="dim")
    elif service.is_alive:
        terminal.say(f"Served by {service.place} since {moment(service.started_at)}", style="dim")
    else:
        beat = moment(service.beat_at)
        terminal.say(f"No service runs; the last one was heard of {beat}.", style="yellow")


def _say_undone(terminal: Terminal, undone: Mapping[str, int]) -> None:
    for name, rows in undone.items():
        held = f"{counted(rows, 'row')} kept as an undo left them, while the source says the same"
        mend = f"Let them come back: rowlift resume {safe(name)} --unpin"
        terminal.say(f"» {cell(name)}: {held}. {mend}", style="dim")


def _table(fresh: Sequence[Freshness]) -> object:
    table = grid("sync", "at", "attribute", "as of", "arrived", "age", "within", "met", "")
    now = time.time()
    for one in fresh:
        age = lasted(one.as_of, now) if one.as_of else ""
        within = "" if one.within is None else duration(one.within)
        table.add_row(
            cell(one.sync), cell(one.target), cell(one.attribute), moment(one.as_of),
            moment(one.at), age, within, "" if one.met is None else percent(one.met),
            "✗ late" if one.late else "",
        )  # fmt: skip
    return table
