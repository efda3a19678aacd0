"""rowlift templates."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.records import grid, shown
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import safe
from rowlift.core.errors import ConfigError
from rowlift.operations.offering import Offer, Template

Source = Annotated[
    str, typer.Option("--source", help="The source that shall be asked.", metavar="NAME")
]
Wanted = Annotated[
    str,
    typer.Option("--show", help="Print this one's SQL; all else goes to stderr.", metavar="NAME"),
]
Layout = Annotated[
    str, typer.Option("--layout", help="Take the tables as this loader has them.", metavar="NAME")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Say what stands for a table or column.", metavar="PLACE=NAME"),
]


@_command
def command(
    terminal: Terminal,
    source: Source = "",
    name: Wanted = "",
    layout: Layout = "",
    settings: Set = None,
) -> int:
    """With --source they are in its dialect, and those come first whose tables it has.

    Begin with one: rowlift templates --source SOURCE --show NAME > models/NAME.sql

    A table of your own: --set table=shop.purchases --set amount=total. A place is a table, a
    column, or TABLE.COLUMN, as --show names them.
    """
    with terminal.working() as project:
        if name:
            given = dict(map(_setting, settings or ()))
            made = project.queries.template(
                name, source, layout=layout, settings=given, ask=bool(source)
            )
            _show(terminal, made, source)
            terminal.document("template", template=made)
            return exits.DONE
        found = project.queries.templates(source, ask=bool(source))
    _list(terminal, found, source)
    terminal.document("templates", templates=found)
    return exits.DONE


def _setting(text: str) -> tuple[str, str]:
    place, equals, name = text.partition("=")
    if not equals:
        mend = "Write it as --set table=shop.purchases."
        raise ConfigError("VALUE_WRONG", f"--set {text} has no =.", mend=mend)
    return place, name


def _list(terminal: Terminal, found: Sequence[Offer], source: str) -> None:
    table = grid("name", "identify_by", "what it finds", "of" if not source else "")
    for one in found:
        table.add_row(one.name, one.identify_by, one.about, _standing(one) if source else one.group)
    terminal.show(table)


def _standing(one: Offer) -> str:
    return "✓ fits" if one.fits else safe("needs " + ", ".join(one.missing))


def _show(terminal: Terminal, made: Template, source: str) -> None:
    terminal.note(made.about)
    if source and made.missing:
        terminal.note(f"{source} lacks {', '.join(made.missing)}.", style="yellow")
    elif not source:
        for one in made.layouts:
            tables = (f"{table} ({', '.join(columns)})" for table, columns in one.tables.items())
            terminal.note(f"  --layout {one.name}: {', '.join(tables)}")
    places = (f"{place}={name}" for place, name in made.placeholders.items())
    terminal.note(f"  places: {' '.join(places)}")
    terminal.note(f"  gives: {', '.join(made.columns)}")
    for row in made.sample:
        terminal.note(f"    {', '.join(map(_cell, row))}")
    terminal.say(made.sql)


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)
