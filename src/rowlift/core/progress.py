"""How long work tells what it is doing; a terminal, a page or nobody listens."""

from typing import Protocol


class Progress(Protocol):
    """Receives the phases of a run or delivery; called from several threads."""

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        """Begin a phase of a task; total is in rows where it is known."""

    def advance(self, task: str, rows: int) -> None:
        """Add rows to what the present phase has done."""

    def note(self, task: str, text: str) -> None:
        """Say one sentence that a person waiting should know."""


class Silent:
    """Nobody listens."""

    def phase(self, task: str, phase: str, total: int | None = None) -> None: ...

    def advance(self, task: str, rows: int) -> None: ...

    def note(self, task: str, text: str) -> None: ...
