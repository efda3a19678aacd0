"""How records of people and objects read on a terminal."""

import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, counted, moment, safe
from rowlift.operations.merging import MergeRecord
from rowlift.operations.records import (
    AttributeRecord,
    Change,
    ObjectRecord,
    PersonRecord,
    RelationshipRecord,
)


def shown(value: Any) -> str:
    """Return an attribute's value in one short line; texts stand in quotes."""
    return "none" if value is None else cell(json.dumps(value, ensure_ascii=False))


def grid(*names: str) -> Table:
    """Return a plain table."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def show_identifiers(
    terminal: Terminal, id_: str | None, email: str | None, anonymous_ids: Sequence[str]
) -> None:
    """Print who it is."""
    known = {"id": id_, "email": email}
    named = [
        Text.assemble((f"{kind} ", "dim"), (safe(one), "bold"))
        for kind, one in known.items()
        if one
    ]
    owned = [Text.assemble(("anonymous id ", "dim"), safe(one)) for one in anonymous_ids]
    terminal.say(Text("  ").join([*named, *owned]))


def show_record(terminal: Terminal, record: PersonRecord | ObjectRecord) -> None:
    """Print since when it is known, attributes and relationships."""
    terminal.say(f"  first known {moment(record.first_known)} by {safe(record.first_sync)}")
    if isinstance(record, PersonRecord) and record.suppressed:
        terminal.say("  suppressed: nothing of theirs is written or sent", style="yellow")
    if isinstance(record, PersonRecord) and record.segments:
        terminal.say(f"  segments {', '.join(map(cell, record.segments))}")
    if isinstance(record, PersonRecord):
        show_merges(terminal, record.merges)
    _attributes(terminal, record.attributes)
    if record.related:
        terminal.say()
        terminal.say(f"  {counted(record.related, 'relationship')}", style="bold")
    for one in record.relationships:
        terminal.say(f"    {_other_end(record, one)}{_listed(one.attributes)}")
    if record.related > len(record.relationships):
        terminal.note(f"    These are the first {len(record.relationships)}.")


def show_merges(terminal: Terminal, merges: Sequence[MergeRecord]) -> None:
    """Print who was merged into a person, and when."""
    for one in merges:
        strangers = ", ".join(map(cell, one.anonymous_ids))
        run = f"run {one.run} at {moment(one.at)}"
        terminal.say(f"  merge {one.number}: anonymous id {strangers} by {cell(one.sync)}, {run}")


def _attributes(terminal: Terminal, attributes: Sequence[AttributeRecord]) -> None:
    if not attributes:
        return
    table = grid("  attribute", "value", "sync", "run", "as of", "synced", "delivered")
    for one in attributes:
        run = "" if one.run is None else str(one.run)
        table.add_row(
            f"  {cell(one.name)}", shown(one.value), cell(one.sync), run, moment(one.as_of),
            moment(one.synced) if one.synced else "", _delivered(one),
        )  # fmt: skip
        for change in one.changes:
            table.add_row("", changed(change), cell(change.sync), _run(change), moment(change.at))
    terminal.say()
    terminal.show(table)


def _delivered(one: AttributeRecord) -> str:
    return ", ".join(
        f"{cell(name)} {moment(at) if at else 'not yet'}" for name, at in one.delivered.items()
    )


def changed(change: Change) -> str:
    """Return one change in a line."""
    return f"{shown(change.before)} → {shown(change.after)}"


def _run(change: Change) -> str:
    return "" if change.run is None else str(change.run)


def _other_end(record: PersonRecord | ObjectRecord, one: RelationshipRecord) -> str:
    if isinstance(record, PersonRecord):
        return f"{cell(one.object_type)} {cell(one.object_id)}"
    return cell(one.id or one.email or "somebody unnamed")


def _listed(attributes: Sequence[AttributeRecord]) -> str:
    return "".join(f"  {cell(one.name)} {shown(one.value)}" for one in attributes)
