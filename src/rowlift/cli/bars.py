"""Progress bars; what draws them takes 0.02 s to load."""

import threading

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from rowlift.cli.text import safe


def drawn(console: Console) -> Progress:
    """Return what draws them on a terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[name]}", markup=False),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        refresh_per_second=5,
    )


class Rate(ProgressColumn):
    """Rows a second of late."""

    def render(self, task: Task) -> Text:
        """Return the rate, or nothing where no rows are counted."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="progress.data.speed")


class Bars:
    """One bar per task; Rich locks its own state."""

    def __init__(self, shown: Progress) -> None:
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
            self._forget_guess(known)

    def _forget_guess(self, known: TaskID) -> None:
        """A query that returns more rows than the last one has no end that is known."""
        shown = self._shown.tasks[known]
        if shown.total is not None and shown.completed > shown.total:
            self._shown.update(known, total=None)

    def note(self, task: str, text: str, detail: str = "") -> None:
        line = f"{safe(task)}: {safe(text)} {safe(detail)}".rstrip()
        self._shown.console.print(line, markup=False, style="dim")
