"""rowlift debug."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from rowlift.cli import exits
from rowlift.cli.exchanges import send_message, show_requests
from rowlift.cli.options import command as _command
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import safe
from rowlift.core.errors import ConfigError
from rowlift.core.nouns import Finding
from rowlift.core.spelling import did_you_mean

if TYPE_CHECKING:
    from rowlift.operations.project import Project

MARKS = {"ok": ("✓", "green"), "note": ("·", "dim"), "warning": ("!", "yellow")}
REFUSED = {"UNSAFE_USER"}
PROOFS = {"values", "rows", "errors", "catalogue", "cancel", "timeout"}  # of --certify

USAGE = "rowlift debug [NAME]..., or rowlift debug requests or message and a DESTINATION"

Words = Annotated[
    list[str] | None,
    typer.Argument(
        help="Test these only. requests DESTINATION: show the last requests to one; message: "
        "send it a test.",
        metavar="[NAME]... | requests|message DESTINATION",
    ),
]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="requests: go on with each new one, until Ctrl-C.")
]
Values = Annotated[
    bool, typer.Option("--values", help="requests: with values of rows; secrets never show.")
]
Certify = Annotated[
    str | None,
    typer.Option(
        "--certify",
        help="Prove one source on the real service: values, rows, errors, cancel, timeout.",
        metavar="SOURCE",
    ),
]


@_command
def command(
    terminal: Terminal,
    words: Words = None,
    certify: Certify = None,
    follow: Follow = False,
    values: Values = False,
) -> int:
    """Prints what is missing with what mends it, such as GRANT statements.

    No table is read and nothing is sent, but by message. With --certify the source also runs
    queries of our own, which read no table: two of them for ever, until they are cancelled.

    debug requests DESTINATION prints what was sent there last, and what it answered: some requests
    of each second, fifty of them, for a day.

    debug message DESTINATION sends one made-up person, marked as a test, as a run would do it, and
    prints request and reply. Where that could not be harmless, as at Segment, it is refused.
    """
    match words or []:
        case [] if not (follow or values):
            return _test(terminal, certify)
        case ["requests", destination] if certify is None:
            return show_requests(terminal, destination, follow=follow, values=values)
        case ["message", destination] if certify is None and not follow:
            return send_message(terminal, destination)
        case names if names and certify is None and not (follow or values):
            return _test(terminal, None, names)
    raise ConfigError("VALUE_WRONG", "debug was asked for something else.", mend=USAGE)


def _test(terminal: Terminal, certify: str | None, names: Sequence[str] = ()) -> int:
    found: Mapping[str, Sequence[Finding]]
    with terminal.working() as project:
        if names:
            found = _tested(project, names)
        else:
            found = {certify: project.certify(certify)} if certify else project.debug()
        ours = project.addresses()
    for name, findings in found.items():
        terminal.say(Text(safe(name), style="bold"))
        for one in findings:
            _print(terminal, one)
    come_from = ", ".join(map(safe, ours.addresses)) or "an address that is not known"
    terminal.note(f"Connections come from {come_from}. {ours.note}")
    terminal.document("debug", connections=found, addresses=ours)
    return exit_code(found)


def _tested(project: "Project", names: Sequence[str]) -> dict[str, Sequence[Finding]]:
    """Test some connections, sources before destinations of the same name."""
    there = {
        one.name: kind
        for kind in ("destination", "source")
        for one in project.connections.list(kind, whole=False)
    }
    for name in names:
        if name not in there:
            text = f"There is no source or destination {safe(name)}.{did_you_mean(name, there)}"
            mend = f"There are: {', '.join(sorted(there)) or 'none'}."
            raise ConfigError("NAME_UNKNOWN", text, mend=mend)
    return {name: project.connections.test(there[name], name).findings for name in names}


def exit_code(found: Mapping[str, Sequence[Finding]]) -> int:
    """Return 0 if everything can be used, 4 for a refused user, 1 for a failed proof, else 3."""
    errors = [one for findings in found.values() for one in findings if one.level == "error"]
    if not errors:
        return exits.DONE
    if {one.step for one in errors} <= PROOFS:
        return exits.FAILED
    return exits.REFUSED if {one.code for one in errors} <= REFUSED else exits.CANNOT_CONNECT


def _print(terminal: Terminal, one: Finding) -> None:
    mark, style = MARKS.get(one.level, ("×", "red"))  # noqa: RUF001
    step = one.step.replace("_", "-")
    line = Text.assemble("  ", (mark, style), f" {step:<11} ", safe(one.message, "\n"))
    if one.code:
        line.append(f" [{one.code}]", style="dim")
    terminal.say(line)
    for mend in one.mend.splitlines():
        terminal.say(f"      {safe(mend)}", style="cyan")
