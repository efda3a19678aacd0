"""Rows of one person: where several anonymous ids name somebody, one that left takes nothing along.

A row leaves its person only with the last row that names them; before, it has nothing to take back.
"""

import sqlalchemy as sa

from rowlift.engine.duck import Duck
from rowlift.engine.known import fill
from rowlift.workspace import identifiers
from rowlift.workspace.identifiers import Named

LEAVES = "op IN ('clear', 'delete', 'leave')"

_LEAVERS = "SELECT key FROM {rows} WHERE {leaves} ORDER BY key"
_NAMED_STILL = """
CREATE OR REPLACE TEMP TABLE named_still AS
SELECT anonymous_id AS key FROM leaver_ids
WHERE pid IN (SELECT n.pid FROM namesakes n JOIN image i ON i.key = n.anonymous_id WHERE i.present)
"""


def find_namesakes(duck: Duck, connection: sa.Connection, workspace_id: int, rows: str) -> bool:
    """Create `named_still`: keys of the relation `rows` that left a person whom others name.

    False where no row leaves.
    """
    keys = [key for (key,) in duck.rows(_LEAVERS.format(rows=rows, leaves=LEAVES))]
    if not keys:
        return False
    owned = list(identifiers.anonymous(connection, workspace_id, Named((), (), keys)))
    fill(duck, "leaver_ids", owned, identifiers.ANONYMOUS)
    pids = sorted({pid for batch in owned for pid in batch.column("pid").to_pylist()})
    all_ids = identifiers.anonymous_of(connection, workspace_id, pids)
    fill(duck, "namesakes", all_ids, identifiers.ANONYMOUS)
    duck.run(_NAMED_STILL)
    return True
