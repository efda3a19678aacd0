"""How long work tells what it is doing; a terminal, a page or nobody listens."""

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Receives the phases of a run or delivery; called from several threads."""

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        """Begin a phase of a task; total is in rows where it is known."""

    def advance(self, task: str, rows: int) -> None:
        """Add rows to what the present phase has done."""

    def note(self, task: str, text: str, detail: str = "") -> None:
        """Say one sentence that a person waiting should know.

        `detail` is what others said of it, such as a reply: it may quote a row.
        """


class Silent:
    """Nobody listens."""

    def phase(self, task: str, phase: str, total: int | None = None) -> None: ...

    def advance(self, task: str, rows: int) -> None: ...

    def note(self, task: str, text: str, detail: str = "") -> None: ...


class Attentive:
    """Passes on what work tells, and looks each time whether the work is to end.

    `look` raises what ends it.
    """

    def __init__(self, listener: Progress, look: Callable[[], None]) -> None:
        self._listener = listener
        self._look = look

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        self._look()
        self._listener.phase(task, phase, total)

    def advance(self, task: str, rows: int) -> None:
        self._look()
        self._listener.advance(task, rows)

    def note(self, task: str, text: str, detail: str = "") -> None:
        self._listener.note(task, text, detail)
