"""rowlift plan."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from rowlift.cli import exits
from rowlift.cli.estimates import show_estimate
from rowlift.cli.lines import write_file
from rowlift.cli.options import command as _command
from rowlift.cli.report import CHANGES
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import cell, counted, listed, safe
from rowlift.operations.differing import differences
from rowlift.operations.markdown import plan_markdown
from rowlift.operations.reports import PlanReport

Sync = Annotated[str, typer.Argument(help="The sync.", metavar="NAME")]
Out = Annotated[
    Path | None, typer.Option(help="Where the plan is written; default: NAME.plan.", metavar="FILE")
]
Rows = Annotated[
    int | None,
    typer.Option(help="Of the first rows of the query alone.", metavar="COUNT", min=1, max=1000),
]
Markdown = Annotated[
    Path | None,
    typer.Option(
        help="Write what it says for a pull request too; - prints that alone.",
        metavar="FILE",
    ),
]
Values = Annotated[
    bool, typer.Option("--values", help="With --markdown: some of the rows, before and after.")
]
SAMPLES = 10
STDOUT = Path("-")


@_command
def command(
    terminal: Terminal,
    name: Sync,
    out: Out = None,
    rows: Rows = None,
    markdown: Markdown = None,
    values: Values = False,
) -> int:
    """Apply it with rowlift run --plan FILE: it does exactly this, or refuses if anything moved.

    A plan holds the rows that were read, so keep it private; it is good for 24 hours.
    """
    with terminal.working() as project:
        plan = project.plan(name, out or Path(f"{name}.plan"), first_rows=rows)
    told = plan_markdown(plan if values else replace(plan, samples=()))
    if markdown == STDOUT:
        terminal.say(told.rstrip())
    else:
        show_plan(terminal, plan)
    if markdown is not None and markdown != STDOUT:
        write_file(markdown, [told])
        terminal.say(f"  For a pull request: {safe(str(markdown))}")
    terminal.document("plan", plan=plan)
    return exits.DONE


def show_plan(terminal: Terminal, plan: PlanReport) -> None:
    """Print what a run would do."""
    tried = f"  the first {counted(plan.first_rows, 'row')} only" if plan.first_rows else ""
    terminal.say(Text.assemble((safe(plan.sync), "bold"), (tried, "cyan")))
    show_planned(terminal, plan, _show_counts)
    if plan.estimate:
        show_estimate(terminal, plan.estimate, is_planned=True)
    terminal.say(f"  Nothing was changed. Apply it: rowlift run --plan {safe(plan.path)}")


def show_planned(
    terminal: Terminal, plan: PlanReport, show: Callable[[Terminal, Mapping[str, Any]], None]
) -> None:
    """Print what would change here and in destinations, some of the rows, and what to know."""
    show(terminal, plan.counts)
    if second := plan.counts.get("relationships"):
        terminal.say("  relationships", style="bold")
        show(terminal, second)
    for target, counts in plan.targets.items():
        plain = {name: one for name, one in counts.items() if isinstance(one, int)}
        terminal.say(f"  {safe(target):<11} {listed(plain) or 'nothing to do'}")
    for one in plan.samples[:SAMPLES]:
        terminal.say(f"    {sample(one)}", style="dim")
    for note in plan.notes:
        terminal.say(f"  ! {safe(note)}", style="yellow")


def _show_counts(terminal: Terminal, counts: Mapping[str, Any]) -> None:
    terminal.say(f"  query       {counted(int(counts.get('read', 0)), 'row')}")
    changes = {name: counts.get(name, 0) for name in CHANGES}
    terminal.say(f"  changes     {listed(changes, zeros=('added', 'changed', 'unchanged'))}")
    if rejected := int(counts.get("rejected", 0)):
        codes = " · ".join(f"{code} {count:,}" for code, count in counts["codes"].items())
        terminal.say(f"  rejected    {counted(rejected, 'row')}: {codes}")


def sample(one: Mapping[str, Any]) -> str:
    """Return a line about a row that would change: of what stays, what differs alone."""
    return f"{cell(one['key'])}  {one['change']}  {_shown(one)}"


def _shown(one: Mapping[str, Any]) -> str:
    if not (one["before"] and one["after"]) or one["before"] == one["after"]:
        return cell(one["after"] or one["before"] or "")
    told = [
        f"{cell(it.name)} {cell(it.before or 'none')} → {cell(it.after or 'none')}"
        for it in differences(one)
    ]
    return " · ".join(told)
