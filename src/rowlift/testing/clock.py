"""A clock whose waits take no time."""

import threading
import time
from datetime import UTC, datetime, timedelta


class QuickClock:
    """The machine's clock plus everything anybody slept; safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slept = 0.0

    @property
    def slept(self) -> float:
        """Return the seconds that would have been waited."""
        return self._slept

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._slept)

    def monotonic(self) -> float:
        return time.monotonic() + self._slept

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._slept += seconds
        time.sleep(0)


class SetClock:
    """A clock that stands until it is set; the monotonic time only follows it forward."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._passed = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        self.set(self._now + timedelta(seconds=seconds))

    def set(self, moment: datetime) -> None:
        """Go to a moment, back or forth."""
        self._passed += max(0.0, (moment - self._now).total_seconds())
        self._now = moment
