"""Events as operations of Customer.io's Track API."""

from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from rowlift.core.ports import Events
from rowlift.kit.texts import concat, json_inner
from rowlift.kit.ulids import ulid

EVENT_IDENTIFIERS = {"user_id": "id", "email": "email", "anonymous_id": "anonymous_id"}
_ACTIONS = {"track": "event", "page": "page", "screen": "screen"}


def event_operations(events: Events) -> pa.StringArray:
    """Return events with an id, by which repeats are dropped, and traits as attributes."""
    moments, message_ids = events.moments.to_pylist(), events.message_ids.to_pylist()
    ids = pa.array(map(ulid, moments, message_ids), pa.string())
    seconds = [str(int(datetime.fromisoformat(one).timestamp())) for one in moments]
    named = pc.if_else(pc.equal(events.names, ""), events.types, events.names)
    return concat(
        '{"type":"person","action":"', looked_up(events.types, _ACTIONS),
        '","identifiers":{"', looked_up(events.identifiers, EVENT_IDENTIFIERS), '":"',
        json_inner(events.keys), '"},"name":"', json_inner(named), '","id":"', ids,
        '","timestamp":', pa.array(seconds, pa.string()), ',"attributes":', events.attributes,
        "}",
    )  # fmt: skip


def looked_up(texts: pa.StringArray, words: Mapping[str, str]) -> pa.StringArray:
    """Return the word for each text."""
    found = pc.index_in(texts, pa.array(list(words), pa.string()))
    return pa.array(list(words.values()), pa.string()).take(found)
