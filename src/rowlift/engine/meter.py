"""How far work under way is: rows so far, of how many, and how fast of late."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from rowlift.core.progress import Headway, Progress

WINDOW_SECONDS = 10.0  # over which the rate is told
STEP_SECONDS = 0.5  # between two looks at the clock that count for it


class Meter:
    """Passes on what work tells, and keeps where it is; called from several threads.

    `parts` are the parts of the sync by the titles that tasks have.
    """

    def __init__(
        self, listener: Progress, parts: Mapping[str, str],
        now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._listener = listener
        self._parts = parts
        self._clock = now
        self._lock = threading.Lock()
        self._now: Headway | None = None
        self._seen: deque[tuple[float, int]] = deque()

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        part = self._parts.get(task, "")
        with self._lock:
            self._now = Headway(phase, part, 0, total, None, time.time())
            self._seen = deque([(self._clock(), 0)])
        self._listener.phase(task, phase, total)

    def advance(self, task: str, rows: int) -> None:
        with self._lock:
            if self._now:
                self._now = self._further(self._now, self._now.rows + rows)
        self._listener.advance(task, rows)

    def note(self, task: str, text: str, detail: str = "") -> None:
        self._listener.note(task, text, detail)

    def told(self) -> str | None:
        """Return where the work is, as it is written down."""
        with self._lock:
            return self._now.to_json() if self._now else None

    def _further(self, now: Headway, rows: int) -> Headway:
        at = self._clock()
        while len(self._seen) > 1 and at - self._seen[1][0] > WINDOW_SECONDS:
            self._seen.popleft()
        first, before = self._seen[0]
        rate = (rows - before) / (at - first) if at > first else None
        if at - self._seen[-1][0] >= STEP_SECONDS:
            self._seen.append((at, rows))
        return Headway(now.phase, now.part, rows, now.total, _whole(rate), now.began_at)


def _whole(rate: float | None) -> float | None:
    """Return a rate in as many digits as one reads."""
    return None if rate is None else round(rate, 0 if rate >= 10 else 2)  # noqa: PLR2004
