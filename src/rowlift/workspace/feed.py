"""People as rows of a query: all, those in a segment, and those who were in it until lately."""

from collections.abc import Iterator
from typing import Literal

import pyarrow as pa
import sqlalchemy as sa

from rowlift.workspace.tables import events, people, segment_members, segments
from rowlift.workspace.workspace import Workspace

Side = Literal["members", "former"]

BATCH_ROWS = 10_000
SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "email", "attributes")])
_PERSON = [people.c[name] for name in SCHEMA.names]


def names(workspace: Workspace) -> dict[str, int]:
    """Return the segments, those that are computed among them, by name."""
    query = sa.select(segments.c.name, segments.c.id).where(segments.c.workspace_id == workspace.id)
    with workspace.database.read() as connection:
        return {row.name: row.id for row in connection.execute(query.order_by(segments.c.name))}


def everybody(workspace: Workspace) -> Iterator[pa.RecordBatch]:
    """Yield all people, in the order in which they became known."""
    chosen = sa.select(*_PERSON).where(people.c.workspace_id == workspace.id)
    return _batches(workspace, chosen)


def people_of(workspace: Workspace, segment_id: int, side: Side) -> Iterator[pa.RecordBatch]:
    """Yield who is in a segment, or who left it, is not back, and is still known.

    Whoever left is forgotten with the events of segments.
    """
    inside = sa.select(segment_members.c.pid).where(segment_members.c.segment_id == segment_id)
    chosen: sa.ColumnElement[bool] = people.c.pid.in_(inside)
    if side == "former":
        left = sa.select(events.c.pid).where(
            events.c.segment_id == segment_id, events.c.kind == "segment_left"
        )
        chosen = sa.and_(people.c.pid.in_(left), sa.not_(chosen))
    return _batches(workspace, sa.select(*_PERSON).where(chosen))


def _batches(workspace: Workspace, chosen: sa.Select[tuple[str, ...]]) -> Iterator[pa.RecordBatch]:
    """Yield what one snapshot shows, a batch at a time."""
    with workspace.database.read() as connection:
        result = connection.execution_options(stream_results=True, max_row_buffer=BATCH_ROWS)
        found = result.execute(chosen.order_by(people.c.pid))
        for rows in found.partitions(BATCH_ROWS):
            columns = zip(*rows, strict=True)
            yield pa.RecordBatch.from_arrays([*map(_texts, columns)], schema=SCHEMA)


def _texts(values: tuple[str | None, ...]) -> pa.Array:
    return pa.array(values, pa.string())
