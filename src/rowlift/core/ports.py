"""The two ports: a source answers one query, a destination answers for changes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

from rowlift.core.nouns import Accepts, Column, Finding, Limits, Outcomes, QueryFacts, Table

if TYPE_CHECKING:
    import pyarrow as pa
    from pydantic import BaseModel


class Source(Protocol):
    """A warehouse or database that answers one read-only SELECT with Arrow record batches.

    Built as `Kind(config)` with the kind's own `Config`. Every method raises SourceError or
    ConnectError with a code and a mend, never a driver's exception.
    """

    Config: ClassVar[type["BaseModel"]]
    dialect: ClassVar[str]  # the name sqlglot knows the SQL by

    def check(self) -> Iterable[Finding]:
        """Test network, TLS, login, read-only rights and privileges; tell each step as it ends."""

    def describe(self, sql: str) -> Sequence[Column]:
        """Return the output columns of a query without running it."""

    def query(self, sql: str, *, limit: int | None = None) -> "pa.RecordBatchReader":
        """Stream the result in bounded memory; the value type of each field is in its metadata.

        An error of a late row comes out of the reader, after good batches.
        """

    def catalog(self) -> Sequence[Table]:
        """Return the schemas, tables and columns this user may read."""

    def now(self) -> int:
        """Return the source's own clock as Unix seconds, floored; a replica's replay time."""

    def cancel(self) -> None:
        """Stop the running query on the server; safe to call from another thread."""

    def close(self) -> None:
        """Give the connection back."""


@runtime_checkable
class FactSource(Protocol):
    """A source that also tells what a query will cost it; an ability of its own, not a duty."""

    def facts(self, sql: str) -> QueryFacts:
        """Return what the catalogue and a dry run say of a query; reads no row of it."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Due rows as columns of equal length; attributes are JSON object texts ready to splice."""

    keys: "pa.StringArray"
    ops: "pa.StringArray"
    message_ids: "pa.StringArray"
    attributes: "pa.StringArray"
    timestamp: str  # ISO 8601 UTC start of the run, the same for every row

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class Events:
    """What people did, as columns of equal length; traits are chosen ones of their person.

    `identifiers` names what each key is: user_id, email or anonymous_id. Properties and traits are
    JSON object texts; `attributes` has both in one, of which the properties win.
    """

    types: "pa.StringArray"  # track, page or screen
    names: "pa.StringArray"
    identifiers: "pa.StringArray"
    keys: "pa.StringArray"
    message_ids: "pa.StringArray"
    moments: "pa.StringArray"  # ISO 8601 UTC with milliseconds
    properties: "pa.StringArray"
    traits: "pa.StringArray"
    attributes: "pa.StringArray"

    def __len__(self) -> int:
        return len(self.keys)


class Packed(Protocol):
    """The encoded messages of a batch, compressed when they were planned."""

    def texts(self) -> "pa.StringArray":
        """Return the messages one by one."""

    def joined(self) -> bytes:
        """Return the messages as one text, joined with commas."""

    def gzip(self, before: bytes, after: bytes) -> bytes:
        """Return the joined text between two others as a gzip file, compressing nothing again."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One request's worth of encoded messages; the id names exactly these, on every attempt."""

    id: str
    number: int
    keys: "pa.StringArray"
    message_ids: "pa.StringArray"
    packed: Packed
    timestamp: str

    @property
    def messages(self) -> "pa.StringArray":
        """The messages one by one, unpacked each time."""
        return self.packed.texts()

    def __len__(self) -> int:
        return len(self.keys)


class Destination(Protocol):
    """Takes batches of changes and answers for each one.

    Built as `Kind(config, feed, http)`; http is the guarded client of `rowlift.kit.http`. It holds
    no loops, sleeps, retries or threads: the engine batches, limits, retries and bisects.
    """

    Config: ClassVar[type["BaseModel"]]
    accepts: ClassVar[Accepts]

    @property
    def limits(self) -> Limits:
        """Return the limits the engine must keep."""

    @property
    def account(self) -> str:
        """Return a stable, secret-free name of the account behind it; each has one budget."""

    def check(self) -> Iterable[Finding]:
        """Test reachability and credentials without sending a record."""

    def encode(self, rows: Rows) -> "pa.StringArray":
        """Return one encoded message per row; pure and deterministic, vectorised."""

    def deliver(self, batch: Batch) -> Outcomes:
        """Send one batch once and say what became of each row.

        Raises DestinationError when nobody should send more until it is mended.
        """

    def close(self) -> None:
        """Finish whatever is open."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a destination holds of a sync: `key`, `attributes` and `wrote` of each record, in turn.

    A later record of a key takes the place of an earlier one. Attributes are a JSON object text,
    null where the record is not there any more; `wrote` says who or what wrote it last. What the
    destination writes of values it reads back: `json` is values as they are, `text` their texts,
    `csv` texts of which a formula stands behind an apostrophe and an empty one is none.
    """

    form: Literal["json", "text", "csv"]
    batches: Iterable["pa.RecordBatch"]


@runtime_checkable
class ReadableDestination(Protocol):
    """A destination that tells what it holds; an ability of its own, not a duty."""

    def held(self, keys: "pa.StringArray | None") -> Held:
        """Return what it holds of the sync it serves, streamed: of some keys, or everything.

        More than these keys may come. Raises DestinationError HELD_UNREADABLE, also while it is
        read.
        """


@runtime_checkable
class SuppressingDestination(Protocol):
    """A destination that can keep people out by itself; an ability of its own, not a duty."""

    @property
    def suppresses(self) -> bool:
        """Tell whether it is to suppress who is suppressed, and to unsuppress them again."""


class EventDestination(Destination, Protocol):
    """A destination that takes people's events too; its feed says which of the two come."""

    def encode_events(self, events: Events) -> "pa.StringArray":
        """Return one encoded message per event; pure and deterministic."""
