"""Which rows of a preview the workspace knows, by identifiers alone, as set operations."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rowlift.core.nouns import Kind
from rowlift.core.specs import SyncSpec
from rowlift.engine import canon, emails
from rowlift.engine.columns import OBJECT_TYPE, key_column
from rowlift.engine.duck import Duck
from rowlift.engine.duck import text as literal
from rowlift.engine.read import ROW_NUMBER

# Streams everybody as id, email_key, anonymous_id, first_writer, other_writers; someone with two
# anonymous ids comes twice, and an object has its type/id as id.
Known = Callable[[], pa.RecordBatchReader]


class Mark(StrEnum):
    """What the workspace knows of a row; NONE where nobody asked it."""

    KNOWN = "known"  # put in the workspace by something other than this sync
    OWN = "own"  # made only by this sync
    UNKNOWN = "unknown"
    NONE = ""


_KNOWN = """
CREATE OR REPLACE TEMP TABLE known AS
SELECT id, email_key, anonymous_id, other_writers OR first_writer <> {sync} AS elsewhere
FROM known_stream
"""

_MARKED = """
WITH named AS (
    SELECT {number} AS row_number, {id} AS id, {email_key} AS email_key,
        {anonymous_id} AS anonymous_id
    FROM {staged} {odd}
), met AS (
    SELECT row_number, elsewhere FROM named JOIN known USING (id)
    UNION ALL SELECT row_number, elsewhere FROM named JOIN known USING (email_key)
    UNION ALL SELECT row_number, elsewhere FROM named JOIN known USING (anonymous_id)
), judged AS (
    SELECT row_number, bool_or(elsewhere) AS elsewhere FROM met GROUP BY row_number
)
SELECT row_number,
    CASE elsewhere WHEN true THEN 'known' WHEN false THEN 'own' ELSE 'unknown' END AS mark
FROM named LEFT JOIN judged USING (row_number)
"""

_ID_COLUMNS = ("user_id", "id", "group_id", "object_id")


def load_known(duck: Duck, known: Known, sync_uid: str) -> bool:
    """Create the table `known`; tell whether the workspace holds anybody from elsewhere."""
    duck.register("known_stream", known())
    duck.run(_KNOWN.format(sync=literal(sync_uid)))
    return bool(duck.one("SELECT coalesce(bool_or(elsewhere), false) FROM known")[0])


def marked_rows(duck: Duck, staged: Path, spec: SyncSpec) -> Mapping[int, Mark]:
    """Return the mark of each row of a small staged file."""
    found = duck.rows(_marked(duck, staged, spec))
    return {number: Mark(mark) for number, mark in found}


def marked_counts(duck: Duck, staged: Path, spec: SyncSpec) -> dict[Mark, int]:
    """Return how many rows of a staged file have each mark."""
    sql = f"SELECT mark, count(*) FROM ({_marked(duck, staged, spec)}) GROUP BY mark"
    counts = {Mark(mark): count for mark, count in duck.rows(sql)}
    return {mark: counts.get(mark, 0) for mark in (Mark.KNOWN, Mark.UNKNOWN, Mark.OWN)}


def _marked(duck: Duck, staged: Path, spec: SyncSpec) -> str:
    columns = {column.name: column for column in canon.staged_columns(pq.read_schema(staged))}
    relation = canon.staged_sql(staged, list(columns.values()))
    key = key_column(list(columns), spec)
    parts = dict.fromkeys(("id", "email_key", "anonymous_id"), "NULL::VARCHAR") | {"odd": ""}
    for name in (*_ID_COLUMNS, key):
        if name in columns and name not in ("email", "anonymous_id"):
            parts["id"] = canon.key_sql(columns[name])
    if spec.kind is not Kind.PERSON:
        default = literal(spec.object_type)
        given = canon.key_sql(columns[OBJECT_TYPE]) if OBJECT_TYPE in columns else "NULL"
        parts["id"] = f"coalesce({given}, {default}) || '/' || {parts['id']}"
    if "anonymous_id" in columns:
        parts["anonymous_id"] = canon.key_sql(columns["anonymous_id"])
    if "email" in columns:
        odd = emails.look_at(duck, [columns["email"]], relation)
        parts["email_key"], parts["odd"] = emails.folded_sql(columns["email"], odd=odd)
    return _MARKED.format(number=columns[ROW_NUMBER].sql, staged=relation, **parts)
