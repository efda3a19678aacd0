"""Jobs that broke off, and how long they rest before they are begun again."""

from rowlift.core.clock import Clock
from rowlift.workers.runner import Job, Kind

LONGEST_SECONDS = 15.0


class Rests:
    """Lets what breaks off again and again rest twice as long each time; safe for many threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of: dict[tuple[Kind, int], tuple[float, float]] = {}  # how long, and until when

    def begin(self, job: Job) -> None:
        """Let a job that broke off rest from now on."""
        now, key = self._clock.monotonic(), (job.kind, job.number)
        lately = {one: rest for one, rest in self._of.items() if now < rest[1] + LONGEST_SECONDS}
        seconds = min(2 * lately[key][0], LONGEST_SECONDS) if key in lately else 1.0
        self._of = lately | {key: (seconds, now + seconds)}

    def has(self, kind: Kind, number: int) -> bool:
        """Tell whether a job rests."""
        _, until = self._of.get((kind, number), (0.0, 0.0))
        return self._clock.monotonic() < until
