"""rowlift catalog."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from rowlift.cli import exits
from rowlift.cli.options import command as _command
from rowlift.cli.records import grid
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted, moment, number, safe
from rowlift.core.errors import ConfigError
from rowlift.core.nouns import Table
from rowlift.core.spelling import did_you_mean

Source = Annotated[str, typer.Argument(help="The source.", metavar="SOURCE")]
Named = Annotated[
    list[str] | None,
    typer.Argument(help="Show these tables' columns.", metavar="[TABLE]..."),
]
Refresh = Annotated[bool, typer.Option("--refresh", help="Ask the source again.")]


@_command
def command(
    terminal: Terminal, source: Source, tables: Named = None, refresh: Refresh = False
) -> int:
    """A TABLE is written people or public.people, in capitals or not.

    The source is asked once a day, when its connection is changed, and with --refresh. Only names,
    types and estimates of rows are read and kept, never a value.
    """
    with terminal.working() as project:
        found = project.catalog(source, refresh=refresh)
    if tables:
        found = replace(found, tables=_chosen(source, found.tables, tables))
        for one in found.tables:
            _show(terminal, one)
    else:
        _list(terminal, found.tables)
        terminal.note(f"{counted(len(found.tables), 'table')} as of {moment(found.as_of)}")
    terminal.document("catalog", source=source, catalogue=found)
    return exits.DONE


def _list(terminal: Terminal, tables: Sequence[Table]) -> None:
    listed = grid("table", "columns", "rows, about")
    for one in tables:
        rows = "" if one.rows_estimate is None else number(one.rows_estimate)
        listed.add_row(safe(_full(one)), number(len(one.columns)), rows)
    if tables:
        terminal.show(listed)
    else:
        terminal.say("There is nothing this user may read. rowlift debug says what to grant.")


def _show(terminal: Terminal, table: Table) -> None:
    terminal.say(safe(_full(table)), style="bold")
    listed = grid("  column", "type", "read as")
    for column in table.columns:
        listed.add_row(f"  {safe(column.name)}", safe(column.type_name), column.value_type)
    terminal.show(listed)


def _chosen(source: str, tables: Sequence[Table], names: Sequence[str]) -> tuple[Table, ...]:
    """Return the tables of some names, in the order of the names."""
    by_name: dict[str, list[Table]] = {}
    for one in tables:
        for name in {one.name.lower(), _full(one).lower()}:
            by_name.setdefault(name, []).append(one)
    for name in names:
        if name.lower() not in by_name:
            raise ConfigError(
                "NAME_UNKNOWN",
                f"{source} shows no table {name}.{did_you_mean(name, by_name)}",
                mend=f"If it is new: rowlift catalog {source} {name} --refresh",
            )
    return tuple(one for name in names for one in by_name[name.lower()])


def _full(table: Table) -> str:
    return f"{table.schema}.{table.name}" if table.schema else table.name
