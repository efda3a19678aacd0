"""What a sync would take before it is saved: time, skipped slots, calls and bytes, and advice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rowlift.core.nouns import Finding

LARGE_MESSAGES = 1_000_000
LARGE_SECONDS = 600
Basis = Literal["runs", "other runs", "unknown"]


@dataclass(frozen=True, slots=True)
class Duration:
    """How many seconds a run takes: the half of them at most p50, 19 of 20 at most p95.

    It is measured on `runs` former runs of the sync with the same query, or reckoned from others
    that read about as many rows; else both are None.
    """

    basis: Basis = "unknown"
    runs: int = 0
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often a schedule is due, and the share of its slots that would find a run and be skipped.

    `interval` is the least number of seconds between two slots, `busy` the share of the last days
    in which other syncs of the workspace ran.
    """

    runs_a_day: float
    interval: int
    skipped: float | None = None
    busy: float = 0.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one destination gets from a run that sends everything; `bytes` are not compressed.

    `seconds` is the least that its rate limit allows, `usual` the median number of messages of
    former runs. A day's calls are those of the schedule; `quota` is the share they take of what the
    rate limit allows in a day. None is not known.
    """

    destination: str
    messages: int | None = None
    calls: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    usual: int | None = None
    calls_a_day: int | None = None
    quota: float | None = None

    @property
    def is_large(self) -> bool:
        """Tell whether somebody should see it before it is sent."""
        return (self.messages or 0) >= LARGE_MESSAGES or (self.seconds or 0) >= LARGE_SECONDS


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a sync would take, as far as it can be known, and what is advised; None is not known."""

    sync: str
    rows: int | None
    duration: Duration
    cadence: Cadence | None
    traffic: Sequence[Traffic] = ()
    bytes_read: int | None = None
    advice: Sequence[Finding] = ()

    @property
    def is_large(self) -> bool:
        """Tell whether a run of it sends so much that somebody should see it first."""
        return any(one.is_large for one in self.traffic)
