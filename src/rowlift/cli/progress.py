"""Progress on stderr: bars on a terminal, one line per phase elsewhere, nothing when quiet."""

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console

from rowlift.cli.text import safe
from rowlift.core.progress import Progress, Silent


@contextlib.contextmanager
def progress(console: Console, *, quiet: bool) -> Iterator[Progress]:
    """Yield the listener that fits the console."""
    if quiet:
        yield Silent()
    elif console.is_terminal:
        from rowlift.cli.bars import Bars, drawn

        with drawn(console) as shown:
            yield Bars(shown)
    else:
        yield Lines(console)


class Lines:
    """One line when a phase begins; quick ones in a row stay readable in a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start = time.monotonic()

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        rows = "" if total is None or phase == "query" else f", {total:,} rows"
        self._say(task, f"{phase}{rows}")

    def advance(self, task: str, rows: int) -> None: ...

    def note(self, task: str, text: str, detail: str = "") -> None:
        self._say(task, f"{text} {detail}".rstrip())

    def _say(self, task: str, text: str) -> None:
        seconds = time.monotonic() - self._start
        line = f"{seconds:7.1f} s  {safe(task)}: {safe(text)}"
        self._console.print(line, markup=False, soft_wrap=True)
