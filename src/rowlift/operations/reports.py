"""What operations answer: plain values that every door can show, and JSON documents of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rowlift.core.nouns import Status

BAD = frozenset({Status.FAILED, Status.SOME_ROWS_FAILED, Status.STOPPED})


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
    """How one run ended; times are Unix seconds, last_sync_time is the source's.

    `retry_of` is the run whose rejects it applied again.
    """

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
    retry_of: int | None = None

    @property
    def failed(self) -> bool:
        """Tell whether any row or destination failed."""
        return self.status in BAD or any(one.status in BAD for one in self.deliveries)


@dataclass(frozen=True, slots=True)
class RetryReport:
    """What became of what a run had left: in the workspace by a run of its own, and elsewhere.

    `workspace` is None where the workspace had rejected nothing that is still known.
    """

    run: int
    sync: str
    workspace: RunReport | None
    deliveries: Sequence[DeliveryReport]

    @property
    def failed(self) -> bool:
        """Tell whether any row still failed."""
        again = self.workspace is not None and self.workspace.failed
        return again or any(one.status in BAD for one in self.deliveries)


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
