"""What operations answer: plain values that every door can show, and JSON documents of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rowlift.core.estimates import Estimate
from rowlift.core.nouns import Status
from rowlift.state.runs import FAILED

BAD = FAILED
GOING = frozenset({Status.QUEUED, Status.RUNNING})


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """How far a phase is that goes on, since when, and how long it takes yet.

    `rate` is rows a second of late, `began_at` in Unix seconds. Total is null where nobody knows
    it, and so is the time left; of phase `query` both go by what the last run read. Part is
    `relationships` for a sync's second query, else empty.
    """

    phase: str
    part: str
    rows: int
    total: int | None
    rate: float | None
    seconds_left: float | None
    began_at: float


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """How one destination of a sync stands; counts add up to `due`.

    Query is `relationships` for the rows of a sync's second query, else empty; `progress` is null
    unless it goes on.
    """

    id: int
    destination: str
    status: Status
    counts: Mapping[str, Any]
    reason_code: str = ""
    reason: str = ""
    query: str = ""
    progress: ProgressReport | None = None


@dataclass(frozen=True, slots=True)
class RunReport:
    """How one run ended; times are Unix seconds, last_sync_time is the source's.

    `retry_of` is the run whose rejects it applied again, `undo_of` the one it took back,
    `first_rows` how many rows of the query it tried where it did not take all, `scheduled_for` the
    slot of the schedule. `progress` is null unless it reads or writes; what it queued goes on after
    it.
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
    first_rows: int | None = None
    scheduled_for: int | None = None
    undo_of: int | None = None
    progress: ProgressReport | None = None

    @property
    def is_over(self) -> bool:
        """Tell whether neither the run nor a delivery of it goes on."""
        statuses = {self.status, *(one.status for one in self.deliveries)}
        return not statuses & GOING

    @property
    def failed(self) -> bool:
        """Tell whether any row or destination failed."""
        return self.status in BAD or any(one.status in BAD for one in self.deliveries)

    @property
    def outcome(self) -> Status:
        """Return how the run and its deliveries stand, as one word."""
        if self.status in {Status.COMPLETED, Status.SOME_ROWS_FAILED} and not self.is_over:
            return Status.RUNNING
        if self.status is Status.COMPLETED and self.failed:
            return Status.SOME_ROWS_FAILED
        return self.status


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
    """What a run would do, exactly; `targets` counts by operation for each destination.

    With `first_rows` it is a run that tries these rows of the query alone, with `undo_of` one that
    takes back what another one did.
    """

    sync: str
    path: str
    created_at: float
    counts: Mapping[str, Any]
    targets: Mapping[str, Mapping[str, Any]]
    samples: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()
    estimate: Estimate | None = None
    first_rows: int | None = None
    undo_of: int | None = None


@dataclass(frozen=True, slots=True)
class UndoReport:
    """Whether a run can be undone: then the code is empty; `undone_by` is the last run that did.

    `until` is when what was before counts as forgotten, in Unix seconds; null where there is a
    code.
    """

    run: int
    undone_by: int | None
    until: float | None
    reason_code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A plan that is kept until `good_until`; `run` is the one that applied it.

    `by` is who made it; times are Unix seconds; `first_rows` how many rows it tries, or null,
    `undo_of` the run that it takes back;
    where it `needs_another`, who made it cannot approve it.
    """

    id: str
    sync: str
    by: str
    created_at: float
    good_until: float
    counts: Mapping[str, Any]
    targets: Mapping[str, Mapping[str, Any]]
    notes: Sequence[str]
    run: int | None = None
    samples: Sequence[Mapping[str, Any]] = ()
    first_rows: int | None = None
    needs_another: bool = False
    undo_of: int | None = None


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """The process that serves a project, or did last; times are Unix seconds.

    `problem` says why the files are not in force as they are by now, if they are not.
    """

    place: str
    started_at: float
    beat_at: float
    is_alive: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RequestReport:
    """A run that somebody asked the service for; `run` and `status` are of what it became.

    `plan` is what it shall apply, `retry_of` the run whose rejects it shall apply again.
    """

    id: int
    sync: str
    asked_by: str
    asked_at: float
    is_waiting: bool
    run: int | None = None
    status: Status | None = None
    reason_code: str = ""
    reason: str = ""
    plan: str = ""
    retry_of: int | None = None


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """What was asked for to bring on what a run left.

    `request` is the run that applies the workspace's rejects again, None where there are none;
    `deliveries` are sent again beside it.
    """

    run: int
    sync: str
    request: RequestReport | None
    deliveries: Sequence[DeliveryReport]


@dataclass(frozen=True, slots=True)
class SyncReport:
    """One sync in a list; `next_slot` is when its schedule is due, in Unix seconds.

    A slot that has come and not begun, or that nobody is there to begin, lies in the past. So many
    rows are `undone` and stay so until the source says something else; `paused_by_undo` is the run
    that paused it by undoing another one.
    """

    name: str
    kind: str
    source: str
    destinations: Sequence[str]
    last_sync_time: int
    last_run: RunReport | None = None
    paused: bool = False
    schedule: Mapping[str, str] | None = None
    next_slot: int | None = None
    undone: int = 0
    paused_by_undo: int | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
