"""Refused requests in the audit log: whoever repeats one does not fill the log with it."""

import threading
import time
from dataclasses import dataclass, field

from rowlift.operations.auditing import Audit
from rowlift.operations.callers import Caller

TOGETHER_SECONDS = 60.0
MOST_ADDRESSES = 20  # of one caller within that time that are told


@dataclass(slots=True)
class _Again:
    """What a caller was refused lately, and how often it was asked for once more."""

    by: Caller
    until: float
    requests: int = 0
    addresses: dict[str, None] = field(default_factory=dict)


class Refusals:
    """The first refusal of an operation is noted at once, those that follow as one line.

    That line tells how many they were, and from which addresses; `settle` writes it when the time
    is over. A process that is killed before loses the number, never who asked for what.
    """

    def __init__(self, together_seconds: float = TOGETHER_SECONDS) -> None:
        self.together_seconds = together_seconds
        self._lock = threading.Lock()
        self._lately: dict[tuple[str, str], _Again] = {}

    def note(self, audit: Audit, by: Caller, operation: str) -> None:
        """Write down, or count, that somebody was refused an operation."""
        with self._lock:
            known = self._lately.get((by.name, operation))
            if known is None:
                audit.note(by, "refused", operation)
                until = time.monotonic() + self.together_seconds
                self._lately[by.name, operation] = _Again(by, until)
                return
            known.requests += 1
            if len(known.addresses) < MOST_ADDRESSES:
                known.addresses[by.address] = None

    def settle(self, audit: Audit, *, early: bool = False) -> None:
        """Write what was asked for again, of all whose time is over; with `early` of all."""
        with self._lock:
            for (name, operation), one in list(self._lately.items()):
                if one.until > time.monotonic() and not early:
                    continue
                if one.requests:
                    told = {"requests": one.requests, "addresses": list(one.addresses)}
                    audit.note(one.by, "refused.again", operation, after=told)
                del self._lately[name, operation]
