"""rowlift people."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.lines import export
from rowlift.cli.options import command as _command
from rowlift.cli.records import grid, show_identifiers, show_record
from rowlift.cli.runs import LARGEST
from rowlift.cli.state import confirm
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, counted, moment, safe
from rowlift.core.errors import ConfigError
from rowlift.operations.callers import CONSOLE
from rowlift.operations.exporting import Form
from rowlift.operations.identifying import Identifiers
from rowlift.operations.merging import MergeRecord
from rowlift.operations.records import PersonRecord

USAGE = (
    "rowlift people [list], find TEXT, show WHO, export [FILE], identify WHO --id or --email, "
    "delete WHO or merges [--undo N]"
)

Words = Annotated[
    list[str] | None,
    typer.Argument(
        help="list, find TEXT, show WHO, export [FILE], identify WHO, delete WHO or merges.",
        metavar="[list|find|show|export|identify|delete|merges] [TEXT|WHO|FILE]",
    ),
]
Limit = Annotated[int, typer.Option(help="list, find: how many.", min=1, max=10_000)]
After = Annotated[
    int, typer.Option(help="list: from the one after this number.", min=0, max=LARGEST)
]
History = Annotated[bool, typer.Option("--history", help="show: how each attribute changed.")]
Format = Annotated[Form, typer.Option("--format", help="export: one form of the two.")]
Only = Annotated[str | None, typer.Option(help="export: one person instead of all.", metavar="WHO")]

Suppressed = Annotated[
    bool, typer.Option("--suppressed", help="export: people who are suppressed, too.")
]
Undo = Annotated[
    int | None, typer.Option(help="merges: part the two people again.", metavar="N", max=LARGEST)
]
NewId = Annotated[
    str | None, typer.Option("--id", help='identify: the new id, "" for none.', metavar="ID")
]
NewEmail = Annotated[
    str | None,
    typer.Option("--email", help='identify: the new address, "" for none.', metavar="ADDRESS"),
]
Yes = Annotated[bool, typer.Option("--yes", help="delete: do not ask for WHO to be typed.")]


@_command
def command(  # noqa: PLR0913, PLR0917 - each is an option of one of its verbs
    terminal: Terminal,
    words: Words = None,
    limit: Limit = 20,
    after: After = 0,
    history: History = False,
    format_: Format = "jsonl",
    only: Only = None,
    suppressed: Suppressed = False,
    undo: Undo = None,
    new_id: NewId = None,
    new_email: NewEmail = None,
    yes: Yes = False,
) -> int:
    """WHO is id:VALUE, email:VALUE, anonymous_id:VALUE, or the bare value of any of these.

    TEXT is what an id, an address or an anonymous id begins with.

    An export has every attribute with the sync and run that wrote it last: as JSON one person a
    line, as CSV one attribute a line, where a cell that a spreadsheet would run as a formula gets
    an apostrophe. Who is suppressed is left out, unless named by --only or asked for.

    A person is deleted from everything that Rowlift keeps, for good. What the source still returns
    comes back with the next run, unless the person is suppressed first; suppressing also takes
    them out of the destinations.

    Identifiers change here only: a sync that has a row under the old one makes somebody of it anew,
    or is told that it is taken, with the row's next change. Mend the source, too.

    Somebody known by an anonymous id only is merged into whom a row names beside it. Undone, both
    are as they were, but for what syncs have written since.
    """
    match words or ["list"]:
        case ["list"]:
            return _list(terminal, limit, after)
        case ["find", text]:
            return _find(terminal, text, limit)
        case ["show", who]:
            return _show(terminal, who, history=history)
        case ["export", *file] if len(file) <= 1:
            path = Path(file[0]) if file else None
            return export(terminal, path, format_, only, suppressed=suppressed)
        case ["delete", who]:
            return _delete(terminal, who, yes=yes)
        case ["identify", who] if (new_id, new_email) != (None, None):
            return _identify(terminal, who, new_id, new_email)
        case ["merges"]:
            return _merges(terminal, limit, after) if undo is None else _undo(terminal, undo)
    raise ConfigError("VALUE_WRONG", "people was asked for something else.", mend=USAGE)


def _list(terminal: Terminal, limit: int, after: int) -> int:
    with terminal.project() as project:
        found = project.people(limit, after=after)
    if found:
        terminal.show(_table(found))
        _go_on(terminal, found, limit)
    else:
        terminal.say("Nobody is there.")
    terminal.document("people", people=found)
    return exits.DONE


def _find(terminal: Terminal, text: str, limit: int) -> int:
    with terminal.project() as project:
        found = project.search_people(text, limit)
    if found:
        terminal.show(_table(found))
    else:
        terminal.say(f"Nobody has an identifier that begins with {safe(text)}.")
    terminal.document("people", people=found)
    return exits.DONE


def _table(found: Sequence[PersonRecord]) -> object:
    table = grid("number", "id", "email", "anonymous", "attributes", "first known", "by")
    for one in found:
        table.add_row(
            str(one.number), cell(one.id or ""), cell(one.email or ""),
            str(len(one.anonymous_ids) or ""), str(len(one.attributes)),
            moment(one.first_known), cell(one.first_sync),
        )  # fmt: skip
    return table


def _go_on(terminal: Terminal, page: Sequence[PersonRecord | MergeRecord], limit: int) -> None:
    if len(page) == limit:
        terminal.note(f"Go on with --after {page[-1].number}")


def _show(terminal: Terminal, who: str, *, history: bool) -> int:
    with terminal.project() as project:
        found = project.person(who, history=history)
    show_identifiers(terminal, found.id, found.email, found.anonymous_ids)
    show_record(terminal, found)
    terminal.document("person", person=found)
    return exits.DONE


def _identify(terminal: Terminal, who: str, new_id: str | None, new_email: str | None) -> int:
    with terminal.project() as project:
        before = project.person(who)
        wanted = Identifiers(
            before.id if new_id is None else new_id,
            before.email if new_email is None else new_email,
        )
        found = project.change_identifiers(who, wanted, was=Identifiers(before.id, before.email))
        project.access.audit.note(CONSOLE, "person.identifiers", str(found.number))
    show_identifiers(terminal, found.id, found.email, found.anonymous_ids)
    terminal.note("What syncs remember under the old ones stays there: mend the source, too.")
    terminal.document("person", person=found)
    return exits.DONE


def _delete(terminal: Terminal, who: str, *, yes: bool) -> int:
    with terminal.project() as project:
        if not yes:
            confirm(terminal, who, f"This erases {safe(who)} from everything Rowlift keeps.")
        erased = project.erase(who)
        project.access.audit.note(CONSOLE, "person.erase")
    rows = f"{counted(erased.rows, 'row')} of {counted(erased.files, 'file')}"
    terminal.say(f"✓ erased {safe(who)}: {erased.people} in the workspace, {rows}")
    terminal.note("What the source still returns comes back, unless it is suppressed.")
    terminal.document("erasure", erasure=erased)
    return exits.DONE


def _merges(terminal: Terminal, limit: int, after: int) -> int:
    with terminal.project() as project:
        found = project.merges(limit, after=after)
    table = grid(
        "number", "anonymous id", "into id", "email", "attributes", "sync", "run", "at", ""
    )
    for one in found:
        table.add_row(
            str(one.number), cell(", ".join(one.anonymous_ids)), cell(one.id or ""),
            cell(one.email or ""), cell(", ".join(one.attributes)), cell(one.sync), str(one.run),
            moment(one.at), "" if one.undone_at is None else f"undone {moment(one.undone_at)}",
        )  # fmt: skip
    if found:
        terminal.show(table)
        _go_on(terminal, found, limit)
    else:
        terminal.say("Nobody was merged.")
    terminal.document("merges", merges=found)
    return exits.DONE


def _undo(terminal: Terminal, number: int) -> int:
    with terminal.project() as project:
        parted = project.undo_merge(number)
        project.access.audit.note(CONSOLE, "merge.undo", str(number))
    strangers = ", ".join(map(cell, parted.anonymous_ids))
    terminal.say(f"✓ merge {number} is undone: anonymous id {strangers} is a person again")
    terminal.note("The next change of the row that named both merges them again.")
    terminal.document("merge", merge=parted)
    return exits.DONE
