"""What stands in the columns of a file: changes of records, or events."""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from rowlift.core.ports import Batch, Events, Rows
from rowlift.kit.texts import concat, csv_cell, spread

PEOPLE = ("user_id", "email", "anonymous_id")
_EVENT = ("type", "name", "message_id", "timestamp", "properties", "traits")
EVENT_HEADER = (*PEOPLE, *_EVENT)


def change_header(names: Sequence[str]) -> Sequence[str]:
    """Return op, key, message_id and the sync's columns, with _ behind a name of ours."""
    header = ["op", "key", "message_id"]
    for name in names:
        free = name
        while free in header:
            free += "_"
        header.append(free)
    return header


def change_lines(rows: Rows, names: Sequence[str]) -> pa.StringArray:
    """Return each change as a line of CSV."""
    return _lines((rows.ops, rows.keys, rows.message_ids, *spread(rows.attributes, names)))


def event_lines(events: Events) -> pa.StringArray:
    """Return each event as a line of CSV."""
    nobody = pa.scalar(None, pa.string())
    named = [pc.equal(events.identifiers, one) for one in PEOPLE]
    keys = [pc.if_else(one, events.keys, nobody) for one in named]
    about = (events.types, events.names, events.message_ids, events.moments)
    return _lines((*keys, *about, events.properties, events.traits))


def change_columns(batch: Batch, names: Sequence[str]) -> list[pa.StringArray]:
    """Return a batch of changes by columns."""
    messages = batch.messages
    values = spread(messages, names, under="/attributes")
    return [*spread(messages, ["op"]), batch.keys, batch.message_ids, *values]


def event_columns(batch: Batch) -> list[pa.StringArray]:
    """Return a batch of events by columns."""
    messages = batch.messages
    return [*spread(messages, PEOPLE, under="/key"), *spread(messages, _EVENT)]


def _lines(texts: Iterable[pa.StringArray]) -> pa.StringArray:
    first, *others = map(csv_cell, texts)
    return concat(first, *(part for cell in others for part in (",", cell)))
