"""Progress on stderr: bars on a terminal, one line per phase elsewhere, nothing when quiet."""

import contextlib
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as RichProgress

from rowlift.cli.text import safe
from rowlift.core.progress import Progress, Silent


@contextlib.contextmanager
def progress(console: Console, *, quiet: bool) -> Iterator[Progress]:
    """Yield the listener that fits the console."""
    if quiet:
        yield Silent()
    elif console.is_terminal:
        with _bars(console) as shown:
            yield Bars(shown)
    else:
        yield Lines(console)


def _bars(console: Console) -> RichProgress:
    return RichProgress(
        SpinnerColumn(),
        TextColumn("{task.fields[name]}", markup=False),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        refresh_per_second=5,
    )


class Bars:
    """One bar per task; Rich locks its own state."""

    def __init__(self, shown: RichProgress) -> None:
        self._shown = shown
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        with self._lock:
            known = self._tasks.get(task)
            if known is None:
                self._tasks[task] = self._shown.add_task(phase, total=total, name=safe(task))
                return
        self._shown.reset(known, total=total, description=phase)

    def advance(self, task: str, rows: int) -> None:
        known = self._tasks.get(task)
        if known is not None:
            self._shown.advance(known, rows)

    def note(self, task: str, text: str, detail: str = "") -> None:
        line = f"{safe(task)}: {safe(text)} {safe(detail)}".rstrip()
        self._shown.console.print(line, markup=False, style="dim")


class Lines:
    """One line when a phase begins; quick ones in a row stay readable in a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start = time.monotonic()

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        rows = "" if total is None else f", {total:,} rows"
        self._say(task, f"{phase}{rows}")

    def advance(self, task: str, rows: int) -> None: ...

    def note(self, task: str, text: str, detail: str = "") -> None:
        self._say(task, f"{text} {detail}".rstrip())

    def _say(self, task: str, text: str) -> None:
        seconds = time.monotonic() - self._start
        line = f"{seconds:7.1f} s  {safe(task)}: {safe(text)}"
        self._console.print(line, markup=False, soft_wrap=True)
