"""Who the workspace knows, for previews, and how far it has come, for plans."""

import pyarrow as pa
import sqlalchemy as sa

from rowlift.core.nouns import Kind
from rowlift.workspace.lookup import MARKS, marks
from rowlift.workspace.rows import fetch
from rowlift.workspace.tables import objects, people, relationships
from rowlift.workspace.workspace import Workspace

_OBJECT_MARKS = """
SELECT object_type || '/' || object_id AS id, NULL AS email_key, NULL AS anonymous_id,
    first_writer, other_writers
FROM objects WHERE workspace_id = :workspace
"""


def known(workspace: Workspace, kind: Kind) -> pa.RecordBatchReader:
    """Stream the identifiers of everybody, or type/id of every object, with who made them known."""
    if kind is Kind.PERSON:
        return marks(workspace)
    with workspace.database.read() as connection:
        found = list(fetch(connection, _OBJECT_MARKS, {"workspace": workspace.id}, MARKS))
    return pa.RecordBatchReader.from_batches(MARKS, found)


def marker(workspace: Workspace) -> tuple[int, ...]:
    """Return numbers that differ after any write to people, objects or relationships."""
    with workspace.database.read() as connection:
        return tuple(
            int(number or 0)
            for table in (people, objects, relationships)
            for number in connection.execute(
                sa.select(
                    sa.func.count(), sa.func.max(table.c.pid), sa.func.sum(table.c.revision)
                ).where(table.c.workspace_id == workspace.id)
            ).one()
        )
