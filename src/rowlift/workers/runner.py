"""The port between a scheduler and whoever carries its jobs."""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from rowlift.state.runs import Run


class Kind(StrEnum):
    """What a job does."""

    IMPORT = "import"
    RESUME = "resume"
    DELIVERY = "delivery"
    FORWARD = "forward"
    AUDIENCE = "audience"


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work; the number is that of the run, delivery, forward or audience.

    `work` ends soon after the event is set, and leaves a state from which it can go on.
    """

    kind: Kind
    number: int
    title: str
    work: Callable[[threading.Event], None] = field(compare=False, repr=False)
    run: Run | None = field(default=None, compare=False, repr=False)


class Runner(Protocol):
    """Carries jobs side by side."""

    def start(self, job: Job) -> None:
        """Begin a job and return at once."""

    def running(self) -> Collection[Job]:
        """Return the jobs that have begun and not ended."""

    def stop(self, seconds: float) -> Collection[Job]:
        """Let every job end early and wait for them; return those that still run after that."""
