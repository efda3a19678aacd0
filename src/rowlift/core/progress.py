"""How long work tells what it is doing; a terminal, a page or nobody listens."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class Headway:
    """How far a phase is; `rate` is rows a second of late, `began_at` in Unix seconds.

    Total is null where nobody knows it; of a query it is what the last run read.
    """

    phase: str
    part: str  # of the sync: empty, or relationships
    rows: int
    total: int | None
    rate: float | None
    began_at: float

    @classmethod
    def of(cls, text: str | None) -> Self | None:
        """Return what was written down, if anything was."""
        return cls(**json.loads(text)) if text else None

    def to_json(self) -> str:
        """Return it as it is written down."""
        return json.dumps(asdict(self))

    @property
    def seconds_left(self) -> float | None:
        """Return how long the phase takes yet at this rate, where that can be told."""
        if not self.rate or self.total is None or self.rows > self.total:
            return None
        return (self.total - self.rows) / self.rate


class Progress(Protocol):
    """Receives the phases of a run or delivery; called from several threads."""

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        """Begin a phase of a task; total is in rows where it is known, of a query by guess."""

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


class Several:
    """Passes on what work tells to each of some listeners."""

    def __init__(self, listeners: Sequence[Progress]) -> None:
        self._listeners = listeners

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        for one in self._listeners:
            one.phase(task, phase, total)

    def advance(self, task: str, rows: int) -> None:
        for one in self._listeners:
            one.advance(task, rows)

    def note(self, task: str, text: str, detail: str = "") -> None:
        for one in self._listeners:
            one.note(task, text, detail)


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
