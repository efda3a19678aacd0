"""Whom the workspace knows: marks for previews, and how many there are."""

from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from rowlift.workspace.rows import fetch
from rowlift.workspace.tables import people
from rowlift.workspace.workspace import Workspace

MARKS = pa.schema(
    [
        ("id", pa.string()),
        ("email_key", pa.string()),
        ("anonymous_id", pa.string()),
        ("first_writer", pa.string()),
        ("other_writers", pa.bool_()),
    ]
)

_MARKS = """
SELECT p.id, p.email_key, a.anonymous_id, p.first_writer, p.other_writers
FROM people p LEFT JOIN anonymous_ids a
    ON a.workspace_id = p.workspace_id AND a.pid = p.pid
WHERE p.workspace_id = :workspace
"""


def marks(workspace: Workspace) -> pa.RecordBatchReader:
    """Stream everybody's identifiers with who made them known; one row per anonymous id.

    A person is made only by sync S if `first_writer` is S and `other_writers` is false. The
    database is read while the reader is.
    """

    def batches() -> Any:
        with workspace.database.read() as connection:
            yield from fetch(connection, _MARKS, {"workspace": workspace.id}, MARKS)

    return pa.RecordBatchReader.from_batches(MARKS, batches())


def count(workspace: Workspace, *, besides: str | None = None) -> int:
    """Return the number of people, or of those whom something besides one sync made known."""
    query = sa.select(sa.func.count()).where(people.c.workspace_id == workspace.id)
    if besides is not None:
        query = query.where((people.c.first_writer != besides) | people.c.other_writers)
    with workspace.database.read() as connection:
        return int(connection.execute(query).scalar_one())
