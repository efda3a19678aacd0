"""How requests to destinations and their replies read on a terminal."""

import time
from collections.abc import Iterator, Mapping

from rich.text import Text

from rowlift.cli import exits
from rowlift.cli.terminal import Terminal
from rowlift.cli.text import moment, safe
from rowlift.core.errors import ConfigError
from rowlift.core.nouns import Verdict
from rowlift.operations.project import Project
from rowlift.operations.watching import ExchangeReport

LOOK_SECONDS = 0.5
MEANT = {
    Verdict.DELIVERED: "It took the test message.",
    Verdict.REJECTED: "It refused the test message.",
    Verdict.REFUSED: "It refused the test message.",
    Verdict.PENDING: "The test message did not get there.",
    Verdict.IN_DOUBT: "Nobody knows whether the test message arrived.",
}
_WELL = range(200, 300)


def show_requests(terminal: Terminal, destination: str, *, follow: bool, values: bool) -> int:
    """Print the last requests to a destination, and on demand each new one until Ctrl-C."""
    if follow and terminal.json:
        text = "With --follow there is no end, so there is no one document."
        raise ConfigError("VALUE_WRONG", text, mend="Leave one of them out.")
    with terminal.project() as project:
        found = project.watch.requests(destination, values=values)
        for one in found:
            _print(terminal, one)
        if not found:
            terminal.note("No request is kept; only destinations that speak HTTP have some.")
        terminal.document("exchanges", requests=found)
        after = found[-1].id if found else 0
        for one in _new(project, destination, after, values=values) if follow else ():
            _print(terminal, one)
    return exits.DONE


def send_message(terminal: Terminal, destination: str) -> int:
    """Send a destination a test message, and print what was sent and what it answered."""
    with terminal.working() as project:
        sent = project.connections.send_message(destination)
    is_taken = sent.verdict is Verdict.DELIVERED
    mark, style = ("✓", "green") if is_taken else ("×", "red")  # noqa: RUF001
    line = Text.assemble((mark, style), f" {safe(destination)}: {MEANT[sent.verdict]}")
    if sent.code:
        line.append(f" {safe(sent.reason)}").append(f" [{sent.code}]", style="dim")
    terminal.say(line)
    if sent.mend:
        terminal.say(f"  {safe(sent.mend)}", style="cyan")
    for one in sent.requests:
        _print(terminal, one)
    if not sent.requests:
        terminal.say(f"  > {safe(sent.message.record)}")
    terminal.document("message", message=sent)
    return exits.DONE if is_taken else exits.FAILED


def _new(
    project: Project, destination: str, after: int, *, values: bool
) -> Iterator[ExchangeReport]:
    while True:
        time.sleep(LOOK_SECONDS)
        for one in project.watch.requests(destination, after=after, values=values):
            after = one.id
            yield one


def _print(terminal: Terminal, one: ExchangeReport) -> None:
    style = "green" if one.status in _WELL else "red"
    answer = "no reply" if one.status is None else str(one.status)
    line = Text.assemble(
        (moment(one.at), "dim"), f"  {one.method} {safe(one.url)}  ", (answer, style),
        (f"  {one.seconds * 1000:,.0f} ms · {one.body_bytes:,} bytes · {safe(one.sync)}", "dim"),
    )  # fmt: skip
    terminal.say(line)
    _print_part(terminal, ">", one.headers, one.body)
    _print_part(terminal, "<", one.reply_headers, one.reply)


def _print_part(terminal: Terminal, mark: str, headers: Mapping[str, str], body: str) -> None:
    for name, value in headers.items():
        terminal.say(f"  {mark} {safe(name)}: {safe(value)}", style="dim")
    if body:
        terminal.say(f"  {mark} {safe(body)}")
