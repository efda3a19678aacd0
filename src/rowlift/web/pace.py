"""How many requests a caller may send in a minute."""

import math
import threading
import time
from collections import OrderedDict

from rowlift.core.errors import AccessError

PER_MINUTE = 1200
KNOWN = 10_000  # callers that are remembered


class Pace:
    """A bucket of allowed requests for each caller, filled evenly."""

    def __init__(self, per_minute: int = PER_MINUTE) -> None:
        self._most = per_minute
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Count a request; raises AccessError TOO_MANY_REQUESTS where the bucket is empty."""
        now = time.monotonic()
        with self._lock:
            left, seen = self._buckets.pop(caller, (float(self._most), now))
            left = min(self._most, left + (now - seen) * self._most / 60)
            self._buckets[caller] = (left - 1 if left >= 1 else left, now)
            if len(self._buckets) > KNOWN:
                self._buckets.popitem(last=False)
        if left < 1:
            wait = math.ceil((1 - left) * 60 / self._most)
            raise AccessError(
                "TOO_MANY_REQUESTS",
                f"More than {self._most:,} requests in a minute.",
                mend=f"Wait {wait} s, then go on more slowly.",
            )
