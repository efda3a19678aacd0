"""rowlift segments."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.lines import export_lines
from rowlift.cli.names import names_in
from rowlift.cli.options import command as _command
from rowlift.cli.people import After, Limit
from rowlift.cli.records import grid
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, counted, moment, safe
from rowlift.core.errors import ConfigError
from rowlift.operations.callers import CONSOLE
from rowlift.operations.exporting import Form, member_lines
from rowlift.operations.segments import EventRecord, MemberRecord

USAGE = "rowlift segments [list]; create, show, events, add, remove or export and NAME"
SHOWN = 10

Words = Annotated[
    list[str] | None,
    typer.Argument(
        help="list; create, show, events, add or remove NAME; export NAME [FILE].",
        metavar="[list|create|show|events|add|remove|export] [NAME] [FILE]",
    ),
]
Ids = Annotated[
    Path | None,
    typer.Option(help="add, remove: a file with an id or e-mail in each line.", metavar="FILE"),
]
Format = Annotated[Form, typer.Option("--format", help="export: one form of the two.")]


@_command
def command(
    terminal: Terminal,
    words: Words = None,
    limit: Limit = 20,
    after: After = 0,
    ids: Ids = None,
    format_: Format = "jsonl",
) -> int:
    """Syncs fill segments too: segment: {name: NAME, create: true}.

    Events tell who entered, left, and was changed by a sync. Whom you remove comes back when
    a sync that fills the segment changes them.
    """
    match words or ["list"]:
        case ["list"]:
            return _list(terminal)
        case ["create", name]:
            return _create(terminal, name)
        case ["show", name]:
            return _show(terminal, name, limit, after)
        case ["events", name]:
            return _events(terminal, name, limit, after)
        case ["add" | "remove" as change, name] if ids:
            return _change(terminal, change, name, names_in(ids))
        case ["export", name, *file] if len(file) <= 1:
            return _export(terminal, name, Path(file[0]) if file else None, format_)
        case ["add" | "remove" as change, name]:
            mend = f"rowlift segments {change} {name!r} --ids FILE"
            raise ConfigError("USAGE", "Nobody is named.", mend=mend)
    raise ConfigError("VALUE_WRONG", "segments was asked for something else.", mend=USAGE)


def _list(terminal: Terminal) -> int:
    with terminal.project() as project:
        found = project.segments()
    table = grid("segment", "members", "made")
    for one in found:
        table.add_row(cell(one.name), f"{one.members:,}", moment(one.created_at))
    if found:
        terminal.show(table)
    else:
        terminal.say("No segments yet. Make one: rowlift segments create NAME")
    terminal.document("segments", segments=found)
    return exits.DONE


def _create(terminal: Terminal, name: str) -> int:
    with terminal.project() as project:
        made = project.create_segment(name)
        project.access.audit.note(CONSOLE, "segment.create", made.name)
    terminal.say(f"✓ {safe(made.name)} is there, with {_people(made.members)}")
    terminal.document("segment", segment=made, members=())
    return exits.DONE


def _show(terminal: Terminal, name: str, limit: int, after: int) -> int:
    with terminal.project() as project:
        found = project.segment(name)
        members = project.segment_members(name, limit, after=after)
    terminal.say(f"{safe(found.name)}: {_people(found.members)}", style="bold")
    table = grid("number", "id", "email", "entered", "by")
    for one in members:
        table.add_row(
            str(one.number), cell(one.id or ""), cell(one.email or ""), moment(one.entered_at),
            _by(one.sync),
        )  # fmt: skip
    if members:
        terminal.show(table)
    _go_on(terminal, members, limit)
    terminal.document("segment", segment=found, members=members)
    return exits.DONE


def _events(terminal: Terminal, name: str, limit: int, after: int) -> int:
    with terminal.project() as project:
        found = project.segment_events(name, limit, after=after)
    table = grid("number", "event", "id", "email", "at", "by", "run")
    for one in found:
        table.add_row(
            str(one.number), one.kind, cell(one.id or ""), cell(one.email or ""), moment(one.at),
            _by(one.sync), "" if one.run is None else str(one.run),
        )  # fmt: skip
    if found:
        terminal.show(table)
    else:
        terminal.say("Nothing happened.")
    _go_on(terminal, found, limit)
    terminal.document("segment_events", segment=name, events=found)
    return exits.DONE


def _change(terminal: Terminal, change: str, name: str, people: Sequence[str]) -> int:
    with terminal.project() as project:
        if change == "add":
            done, moved, there = project.add_to_segment(name, people), "entered", "were in it"
        else:
            done, moved, there = project.remove_from_segment(name, people), "left", "were not in it"
        told = {"people": len(people)}
        project.access.audit.note(CONSOLE, f"segment.{change}", name, after=told)
    terminal.say(f"✓ {safe(name)}: {_people(done.changed)} {moved}, {done.unchanged:,} {there}")
    for one in done.unknown[:SHOWN]:
        terminal.say(f"  ! nobody is known as {cell(one)}", style="yellow")
    if len(done.unknown) > SHOWN:
        terminal.say(f"  … {len(done.unknown):,} in all; see -o json", style="yellow")
    for one in done.suppressed[:SHOWN]:
        terminal.say(f"  ! {cell(one)} is suppressed and does not enter", style="yellow")
    terminal.document("segment_change", change=done)
    return exits.FAILED if done.unknown or done.suppressed else exits.DONE


def _export(terminal: Terminal, name: str, file: Path | None, form: Form) -> int:
    with terminal.project() as project:
        members = project.export_segment(name)
        project.access.audit.note(CONSOLE, "segment.export", name)
        export_lines(terminal, file, form, member_lines(members, form))
    return exits.DONE


def _go_on(terminal: Terminal, page: Sequence[MemberRecord | EventRecord], limit: int) -> None:
    if len(page) == limit:
        terminal.note(f"Go on with --after {page[-1].number}")


def _people(count: int) -> str:
    return counted(count, "person") if count == 1 else f"{count:,} people"


def _by(sync: str | None) -> str:
    return "by hand" if sync is None else cell(sync)
