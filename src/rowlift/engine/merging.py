"""What strangers bring along who are merged into somebody known, laid under the known's own."""

import pyarrow as pa
import sqlalchemy as sa

from rowlift.engine.attributes import Stored, completed
from rowlift.engine.duck import Duck
from rowlift.engine.known import fill
from rowlift.workspace import identifiers

_STRANGERS = """
SELECT DISTINCT unnest(strangers).pid AS pid FROM apply_merged
WHERE into_pid IN (SELECT pid FROM apply_records) ORDER BY pid
"""
_PAIRS = """
SELECT m.into_pid, {own}, {other}
FROM (
    SELECT into_pid, unnest(strangers).pid AS pid, generate_subscripts(strangers, 1) AS place
    FROM apply_merged
) m
JOIN apply_records k ON k.pid = m.into_pid JOIN apply_strangers s ON s.pid = m.pid
ORDER BY m.into_pid, m.place
"""
_LAY = (
    "CREATE OR REPLACE TEMP TABLE apply_whole AS FROM apply_records",
    """
UPDATE apply_whole SET attributes = c.attributes, origins = c.origins
FROM apply_completed c WHERE c.pid = apply_whole.pid
""",
    "CREATE OR REPLACE TEMP VIEW apply_records AS FROM apply_whole",
)
_COMPLETED = pa.schema([("pid", pa.int64()), ("attributes", pa.string()), ("origins", pa.string())])


def lay_strangers(duck: Duck, connection: sa.Connection, workspace_id: int) -> None:
    """Complete `apply_records` by what is stored of the strangers of `apply_merged`.

    The known person's values stand; among several strangers those of the first.
    """
    pids = [pid for (pid,) in duck.rows(_STRANGERS)]
    if not pids:
        return
    strangers = identifiers.records(connection, workspace_id, "people", pids)
    fill(duck, "apply_strangers", strangers, identifiers.RECORDS)
    duck.register("apply_completed", _completed(duck))
    for statement in _LAY:
        duck.run(statement)


def _completed(duck: Duck) -> pa.Table:
    columns = {alias: ", ".join(f"{alias}.{one}" for one in Stored._fields) for alias in "ks"}
    width = len(Stored._fields)
    known: dict[int, Stored] = {}
    strangers: dict[int, list[Stored]] = {}
    for pid, *values in duck.rows(_PAIRS.format(own=columns["k"], other=columns["s"])):
        known[pid] = Stored(*values[:width])
        strangers.setdefault(pid, []).append(Stored(*values[width:]))
    rows = [(pid, *completed(own, strangers[pid])) for pid, own in known.items()]
    arrays = [pa.array(column) for column in zip(*rows, strict=True)]
    return pa.Table.from_arrays(arrays, schema=_COMPLETED)
