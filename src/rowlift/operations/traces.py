"""What why tells: where attributes come from, and where a person's rows stand at each target."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rowlift.operations.merging import MergeRecord
from rowlift.operations.records import AttributeRecord


class Standing(StrEnum):
    """Where the newest values of a row are on their way to one target."""

    DELIVERED = "delivered"
    UNCHANGED = "unchanged"  # acknowledged before; the last run brought nothing new
    UNDONE = "undone"  # as an undo left it, until the source says something else
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"
    HELD = "held"  # rejected, kept, and judged again by each run
    PENDING = "pending"
    SKIPPED = "skipped"  # the sync's mode does not want the row
    PAUSED = "paused"
    STOPPED = "stopped"  # the last run ended before it took anything over
    PLAN_WAITS = "plan_waits"  # and a plan of the sync waits for somebody's word
    NEVER = "never_delivered"
    NEVER_RAN = "never_ran"
    NO_IDENTIFIER = "no_identifier"  # by which the sync could know the person
    NOT_IN_QUERY = "not_in_query"
    NOT_A_MEMBER = "not_a_member"  # of the audience or segment that the sync reads
    LEFT = "left"  # not in the query any more, kept as it was
    SUPPRESSED = "suppressed"
    REMOVED = "removed"  # not in the query any more, and taken back


@dataclass(frozen=True, slots=True)
class TargetTrace:
    """What a target has of a row: the version it acknowledged, of which run, by which delivery.

    `standing` is where the newest version is; code and reason say why it is not there. Attributes
    of `left_out` are in the row, and the sync does not give them to the target. Times are Unix
    seconds.
    """

    target: str
    standing: Standing
    version: int | None
    run: int | None
    delivery: int | None
    at: float | None
    code: str
    reason: str
    left_out: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Membership:
    """A segment that a person is in, or was last; `left_at` is null while they are.

    What let them in, or out: a sync and its run, an audience, or neither, which is by hand or by
    messages. Times are Unix seconds; what happened longer ago than events are kept has no run.
    """

    segment: str
    is_audience: bool
    sync: str | None
    run: int | None
    entered_at: float | None
    left_at: float | None


@dataclass(frozen=True, slots=True)
class SyncTrace:
    """A person's or an object's row in one sync, and its way to each target.

    Where it is of the sync's second query, it `relates` three: the type and the id of an object,
    and a person. `present` tells whether the query still returns it, `run` which run brought its
    newest version; version is null where no row was ever good. `query` is as in changes.
    """

    sync: str
    key: str
    present: bool
    version: int | None
    run: int | None
    row_number: int | None
    query: str | None
    targets: Sequence[TargetTrace]
    relates: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Why:
    """Where a person's attributes come from, by syncs and merges, and what became of them.

    `relationships` are rows of second queries that name the person, those changed last.
    `absent` are the syncs of people that have no row of this one, each with why, and `unreached`
    the destinations, or the one asked about, that no sync sends people to. Who is suppressed
    since a moment (Unix seconds) is told even where nothing else is known of them.
    """

    id: str | None
    email: str | None
    anonymous_ids: Sequence[str]
    attributes: Sequence[AttributeRecord]
    syncs: Sequence[SyncTrace]
    merges: Sequence[MergeRecord] = ()
    absent: Sequence[SyncTrace] = ()
    segments: Sequence[Membership] = ()
    suppressed_since: float | None = None
    unreached: Sequence[str] = ()
    relationships: Sequence[SyncTrace] = ()
