"""rowlift audiences."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.records import grid
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, moment, safe
from rowlift.core.errors import ConfigError
from rowlift.core.nouns import Status
from rowlift.operations.audiences import AudienceRecord
from rowlift.project.texts import read_text

USAGE = "rowlift audiences [list]; show NAME; compute [NAME…]; try NAME [FILE]; overlap NAME NAME"

Words = Annotated[
    list[str] | None,
    typer.Argument(
        help="list; show NAME; compute [NAME…]; try NAME [FILE]; overlap NAME NAME.",
        metavar="[list|show|compute|try|overlap] [NAME] [FILE]",
    ),
]
Limit = Annotated[
    int, typer.Option(min=1, max=1000, help="How many people, or sizes, at most.", metavar="N")
]


@_command
def command(terminal: Terminal, words: Words = None, limit: Limit = 20) -> int:
    """An audience is a segment whose people Rowlift computes: audiences/NAME.yml.

    It is computed after every run, and by the service whenever people, events or segments
    change. Its people: rowlift segments show NAME. A file that is tried is not kept.
    """
    match words or ["list"]:
        case ["list"]:
            return _list(terminal)
        case ["show", name]:
            return _show(terminal, name, limit)
        case ["compute", *names]:
            return _compute(terminal, names)
        case ["try", name, *file] if len(file) <= 1:
            return _try(terminal, name, Path(file[0]) if file else None, limit)
        case ["overlap", first, second]:
            return _overlap(terminal, first, second)
    raise ConfigError("VALUE_WRONG", "audiences was asked for something else.", mend=USAGE)


def _list(terminal: Terminal) -> int:
    with terminal.project() as project:
        found = project.audiences.list()
    _table(terminal, found)
    if not found:
        terminal.say("No audiences yet. Write one: audiences/NAME.yml")
    terminal.document("audiences", audiences=found)
    return exits.DONE


def _show(terminal: Terminal, name: str, limit: int) -> int:
    with terminal.project() as project:
        one = project.audiences.get(name)
        sizes = project.audiences.sizes(name, limit)
    terminal.say(f"{safe(one.name)}: {one.members:,} people", style="bold")
    terminal.say(safe(one.words))
    _trouble(terminal, one)
    table = grid("at", "people", "entered", "left", "seconds")
    for size in sizes:
        table.add_row(
            moment(size.at), f"{size.members:,}", f"{size.entered:,}", f"{size.left:,}",
            f"{size.seconds:.2f}",
        )  # fmt: skip
    if sizes:
        terminal.show(table)
    terminal.document("audience", audience=one, sizes=sizes)
    return exits.DONE


def _compute(terminal: Terminal, names: Sequence[str]) -> int:
    with terminal.working() as project:
        done = project.audiences.compute(names)
    _table(terminal, done)
    for one in done:
        _trouble(terminal, one)
    terminal.document("audiences", audiences=done)
    return exits.FAILED if any(one.status is Status.FAILED for one in done) else exits.DONE


def _try(terminal: Terminal, name: str, file: Path | None, limit: int) -> int:
    document = read_text(file, str(file)) if file else None
    with terminal.project() as project:
        found = project.audiences.sample(name, document, limit)
    terminal.say(safe(found.words))
    terminal.say(f"{found.size:,} people now, found in {found.seconds:.2f} s", style="bold")
    table = grid("number", "id", "email")
    for one in found.people:
        table.add_row(str(one.number), cell(one.id or ""), cell(one.email or ""))
    if found.people:
        terminal.show(table)
    terminal.document("audience_sample", sample=found)
    return exits.DONE


def _overlap(terminal: Terminal, first: str, second: str) -> int:
    with terminal.project() as project:
        found = project.audiences.overlap(first, second)
    terminal.say(
        f"{safe(first)} has {found.first_members:,} people, {safe(second)} "
        f"{found.second_members:,}; {found.common:,} are in both"
    )
    terminal.document("overlap", overlap=found)
    return exits.DONE


def _table(terminal: Terminal, found: Sequence[AudienceRecord]) -> None:
    table = grid("audience", "people", "status", "looked at", "who")
    for one in found:
        table.add_row(
            cell(one.name), f"{one.members:,}", _standing(one),
            moment(one.looked_at) if one.looked_at else "never", cell(one.words),
        )  # fmt: skip
    if found:
        terminal.show(table)


def _standing(one: AudienceRecord) -> str:
    if one.is_late:
        return "late"
    return "due" if one.is_due else one.status.value


def _trouble(terminal: Terminal, one: AudienceRecord) -> None:
    if one.reason:
        terminal.say(f"✗ {safe(one.name)}: {safe(one.reason)} ({one.reason_code})", style="red")
