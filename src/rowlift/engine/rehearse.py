"""Rehearse: one made-up person, encoded and cut into a batch as a delivery would do it."""

from dataclasses import dataclass
from uuid import uuid4

import pyarrow as pa

from rowlift.core.nouns import Accepts, Column, Feed, Kind, Op
from rowlift.core.ports import Batch, Destination, Rows
from rowlift.kit.arrow import digest
from rowlift.kit.packed import pack

NAME = "rowlift_test"  # of the sync that it says it comes from, and of its one attribute

_KEYS = {
    "user_id": "rowlift-test",
    "email": "rowlift-test@example.com",
    "anonymous_id": "rowlift-test",
}
_VALUES = {Op.UPSERT: f'{{"{NAME}":true}}'}


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Nobody, under the name of a test, and what a destination is asked to do with them."""

    feed: Feed
    key: str
    op: Op


def rehearsal(accepts: Accepts) -> Rehearsal | None:
    """Return what comes to nothing at a destination; None where it has no such thing."""
    match = next((one for one in _KEYS if one in accepts.matches), None)
    if accepts.test is None or match is None:
        return None
    column = Column(NAME, "boolean", "bool")
    feed = Feed(NAME, NAME, Kind.PERSON, match, match, (column,), is_test=True)
    return Rehearsal(feed, _KEYS[match], accepts.test)


def rehearsed(destination: Destination, one: Rehearsal, timestamp: str) -> Batch:
    """Return the batch that would be sent; each has a message id of its own."""
    message_ids = pa.array([uuid4().hex], pa.string())
    keys = pa.array([one.key], pa.string())
    rows = Rows(
        keys,
        pa.array([one.op.value], pa.string()),
        message_ids,
        pa.array([_VALUES.get(one.op, f'{{"{NAME}":null}}')], pa.string()),
        timestamp,
    )
    packed = pack(destination.encode(rows))
    return Batch(digest(message_ids), 0, keys, message_ids, packed, timestamp)
