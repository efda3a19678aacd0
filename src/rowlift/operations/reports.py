"""What operations answer: plain values that every door can show, and JSON documents of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rowlift.core.nouns import Status


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """How one destination of a sync stands; counts add up to `due`.

    Query is `relationships` for the rows of a sync's second query, else empty.
    """

    id: int
    destination: str
    status: Status
    counts: Mapping[str, Any]
    reason_code: str = ""
    reason: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True)
class RunReport:
    """How one run ended; times are Unix seconds, last_sync_time is the source's."""

    id: int
    sync: str
    status: Status
    phase: str
    counts: Mapping[str, Any]
    created_at: float
    finished_at: float | None
    last_sync_time: int
    reason_code: str = ""
    reason: str = ""
    resumed: bool = False
    deliveries: Sequence[DeliveryReport] = ()

    @property
    def failed(self) -> bool:
        """Tell whether any row or destination failed."""
        bad = {Status.FAILED, Status.SOME_ROWS_FAILED, Status.STOPPED}
        return self.status in bad or any(one.status in bad for one in self.deliveries)


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What a run would do, exactly; `targets` counts by operation for each destination."""

    sync: str
    path: str
    created_at: float
    counts: Mapping[str, Any]
    targets: Mapping[str, Mapping[str, Any]]
    samples: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SyncReport:
    """One sync in a list."""

    name: str
    kind: str
    source: str
    destinations: Sequence[str]
    last_sync_time: int
    last_run: RunReport | None = None
    paused: bool = False
    state: Mapping[str, Any] = field(default_factory=dict)
