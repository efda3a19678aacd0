"""What a sync would take, as lines of a terminal."""

from collections.abc import Iterator

from rich.text import Text

from rowlift.cli.terminal import Terminal
from rowlift.cli.text import counted, lasted, safe
from rowlift.core.estimates import Cadence, Duration, Estimate, Traffic

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_THOUSAND = 1000


def show_estimate(terminal: Terminal, found: Estimate, *, is_planned: bool = False) -> None:
    """Print what a run would take, what each destination would get, and what is advised.

    What is planned has told already what exactly each would get.
    """
    terminal.say(f"  a run       {_run(found.duration)}")
    if found.cadence:
        terminal.say(f"  schedule    {_schedule(found.cadence)}")
    for one in found.traffic:
        style = "bold" if one.is_large else ""
        told = [*([] if is_planned else _load(one)), *_pace(one)]
        if told:
            terminal.say(f"  {safe(one.destination):<11} {', '.join(told)}", style=style)
    if found.bytes_read is not None:
        terminal.say(f"  warehouse   reads {_size(found.bytes_read)}")
    for advice in found.advice:
        mark = Text.assemble(("! ", "yellow"), safe(advice.message), (f" [{advice.code}]", "dim"))
        terminal.say(mark)
        terminal.say(f"  {safe(advice.mend)}", style="cyan")


def _run(told: Duration) -> str:
    if told.p50 is None or told.p95 is None:
        return "takes an unknown time: nothing like it ran in this workspace yet"
    if told.basis == "runs":
        whose = f"as its last {counted(told.runs, 'run')} did"
    else:
        whose = f"reckoned from {counted(told.runs, 'other run')}"
    return f"takes about {lasted(0, told.p50)}, at most {lasted(0, told.p95)} ({whose})"


def _schedule(told: Cadence) -> str:
    times = f"{told.runs_a_day:,.0f} a day" if told.runs_a_day >= 1 else "less than one a day"
    if told.skipped is None:
        return f"{times}; how many would be skipped is known after the first runs"
    return f"{times}, of which about {told.skipped:.0%} would be skipped"


def _load(told: Traffic) -> Iterator[str]:
    yield "unknown" if told.messages is None else f"at most {counted(told.messages, 'message')}"
    if told.calls is not None and told.bytes is not None:
        yield f"{counted(told.calls, 'call')}, {_size(told.bytes)}"


def _pace(told: Traffic) -> Iterator[str]:
    if told.seconds:
        yield f"at least {lasted(0, told.seconds)} at its rate limit"
    if told.usual is not None:
        yield f"as a rule {counted(told.usual, 'message')}"
    if told.calls_a_day is not None:
        quota = "" if told.quota is None else f" ({told.quota:.1%} of what its limit allows)"
        about = "at most" if told.usual is None else "about"
        yield f"{about} {told.calls_a_day:,} calls a day{quota}"


def _size(count: int) -> str:
    size, unit = float(count), 0
    while size >= _THOUSAND and unit < len(_UNITS) - 1:
        size, unit = size / _THOUSAND, unit + 1
    return f"{size:,.1f} {_UNITS[unit]}" if unit else f"{count} B"
