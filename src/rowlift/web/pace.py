"""How many requests a caller may send in a minute."""

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from rowlift.core.errors import Throttled

PER_MINUTE = 1200
KNOWN = 10_000  # callers that are remembered


@dataclass(frozen=True, slots=True)
class Left:
    """How many of the allowed requests a caller has left."""

    most: int
    left: float

    @property
    def headers(self) -> Mapping[str, str]:
        """Return what tells a program how fast it may go on; Reset is in seconds."""
        reset = math.ceil((self.most - self.left) * 60 / self.most)
        return {
            "RateLimit-Limit": str(self.most),
            "RateLimit-Remaining": str(int(self.left)),
            "RateLimit-Reset": str(reset),
        }


class Pace:
    """A bucket of allowed requests for each caller, filled evenly."""

    def __init__(self, per_minute: int = PER_MINUTE) -> None:
        self._most = per_minute
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> Left:
        """Count a request; raises Throttled TOO_MANY_REQUESTS where the bucket is empty."""
        now = monotonic()
        with self._lock:
            left, seen = self._buckets.pop(caller, (float(self._most), now))
            left = min(self._most, left + (now - seen) * self._most / 60)
            self._buckets[caller] = (left - 1 if left >= 1 else left, now)
            if len(self._buckets) > KNOWN:
                self._buckets.popitem(last=False)
        if left < 1:
            text = f"More than {self._most:,} requests in a minute."
            wait = math.ceil((1 - left) * 60 / self._most)
            raise Throttled("TOO_MANY_REQUESTS", text, wait)
        return Left(self._most, left - 1)
