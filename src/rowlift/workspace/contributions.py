"""What others have of a record that a sync's row has left."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import sqlalchemy as sa

from rowlift.workspace.identifiers import CHUNK
from rowlift.workspace.rows import any_of, fetch

KEPT = pa.schema([("pid", pa.int64())])

_CONTRIBUTED = "replace({record}.contributors, :own, '') <> ''"
_RELATED = f"""EXISTS (
    SELECT 1 FROM relationships l WHERE l.{{end}} = t.pid AND {_CONTRIBUTED.format(record="l")}
)"""
_IN_A_SEGMENT = """EXISTS (
    SELECT 1 FROM segment_members m JOIN segments s ON s.id = m.segment_id
    WHERE m.pid = t.pid AND m.sync_uid <> :sync AND s.audience_uid IS NULL
)"""
_CONTRIBUTIONS = {
    "people": (_RELATED.format(end="person_pid"), _IN_A_SEGMENT),
    "objects": (_RELATED.format(end="object_pid"),),
    "relationships": (),
}


def contribution(sync_uid: str) -> str:
    """Return how a sync stands among a record's contributors."""
    return f"|{sync_uid}|"


def contributors(stored: str) -> tuple[str, ...]:
    """Return the uids of a record's contributors."""
    return tuple(dict.fromkeys(uid for uid in stored.split("|") if uid))


def kept_by_others(
    connection: sa.Connection, table: str, pids: Sequence[int], sync_uid: str
) -> Iterator[pa.RecordBatch]:
    """Stream those records of which something is there that another sync or a hand brought.

    That is what they wrote and have not taken back, a relationship, or a place in a segment.
    """
    others = " OR ".join((_CONTRIBUTED.format(record="t"), *_CONTRIBUTIONS[table]))
    sql = f"SELECT t.pid FROM {table} t WHERE {any_of(connection, 't.pid', 'chunk')} AND ({others})"
    for start in range(0, len(pids), CHUNK):
        chunk = list(pids[start : start + CHUNK])
        given = {"chunk": chunk, "own": contribution(sync_uid), "sync": sync_uid}
        yield from fetch(connection, sql, given, KEPT)
