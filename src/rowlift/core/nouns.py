"""The nouns every other module speaks: what users declare, and what happens to rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What rows are; accounts are objects of type 1, relationships join people and objects."""

    PERSON = "person"
    ACCOUNT = "account"
    OBJECT = "object"
    RELATIONSHIP = "relationship"


class Preset(StrEnum):
    """Which of the two families of defaults a sync starts from."""

    TRAITS = "traits"
    IMPORT = "import"


class Status(StrEnum):
    """How a run or a delivery stands; the same words at every door."""

    QUEUED = "Queued"
    RUNNING = "Running"
    COMPLETED = "Completed"
    SOME_ROWS_FAILED = "Some rows failed"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    STOPPED = "Stopped by guard"
    CANCELLED = "Cancelled"


class Removed(StrEnum):
    """What happens to a row that left a full query."""

    KEEP = "keep"
    CLEAR = "clear"
    DELETE = "delete"
    LEAVE_SEGMENT = "leave_segment"


class Mode(StrEnum):
    """Whether rows may create, change, or both."""

    UPSERT = "upsert"
    UPDATE = "update"
    CREATE = "create"


class Op(StrEnum):
    """What one change asks a destination to do."""

    UPSERT = "upsert"
    CLEAR = "clear"
    DELETE = "delete"
    LEAVE = "leave"  # the segment; nothing else changes
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"


class Verdict(StrEnum):
    """What is known of one change after it was sent."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"  # it may have arrived: send again with the same message id
    PENDING = "pending"  # it never arrived: send again after a wait
    REFUSED = "refused"  # the batch was refused without saying which row: bisect
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A destination's answer about one change; `retry_after` is in seconds."""

    verdict: Verdict
    code: str = ""
    reason: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """A destination's answer about a batch: one default and the rows that differ, by index."""

    default: Outcome
    rows: Mapping[int, Outcome] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that did not go; row numbers count from 1 in the order the source gave."""

    row_number: int | None
    identifier: str | None
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer of a connection test, with the mend where it is not good."""

    step: str  # network, tls, login, read_only, privileges, version, clock
    level: str  # ok, note, warning, error
    message: str
    mend: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the source describes it: its name, the source's type name, our value type."""

    name: str
    type_name: str
    value_type: str  # one of rowlift.core.values.VALUE_TYPES


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view of a source's catalogue."""

    schema: str
    name: str
    columns: tuple[Column, ...] = ()
    rows_estimate: int | None = None


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What a catalogue says of a table that a query reads.

    `leading` holds the column or expression that each of its indexes begins with.
    """

    name: str
    rows_estimate: int | None
    leading: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueryFacts:
    """What a source tells of a query before it runs; None is what it does not tell."""

    bytes_read: int | None = None  # which a warehouse may bill
    is_primary: bool | None = None
    tables: tuple[TableFacts, ...] = ()  # without views, and without what has no indexes
    no_seconds: tuple[str, ...] = ()  # columns of other values that are compared with seconds


@dataclass(frozen=True, slots=True)
class Feed:
    """What a destination must know of the sync it serves before it encodes a row.

    Where it is read back, `formerly` are names that the sync had, and no other one ever.
    """

    sync_uid: str
    sync: str
    kind: Kind
    identify_by: str  # user_id, email, anonymous_id, group_id or object_id
    match: str  # the destination's identifier the key goes to
    columns: tuple[Column, ...] = ()
    object_type: str = "1"
    removed: Removed = Removed.KEEP
    of_events: bool = False  # of people, as they happened; the sync is a forward then
    is_test: bool = False  # one made-up person; a receiver that tells kinds of messages is told so
    formerly: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """A destination's limits: rows and bytes per request, bytes per record, requests per second."""

    batch_rows: int
    batch_bytes: int
    record_bytes: int
    envelope_bytes: int = 0
    requests_per_second: float | None = None
    in_flight: int = 4


@dataclass(frozen=True, slots=True)
class Accepts:
    """What a destination can take; checked when a sync is saved.

    `events` are the identifiers of people by which it takes their events; none: it takes none.
    `test` is what of a made-up person comes to nothing there; without one no test is sent. One that
    `appends` keeps what it took beside what comes later.
    """

    kinds: frozenset[Kind]
    matches: frozenset[str]
    modes: frozenset[Mode] = frozenset({Mode.UPSERT})
    removed: frozenset[Removed] = frozenset({Removed.KEEP})
    events: frozenset[str] = frozenset()
    test: Op | None = None
    appends: bool = False
