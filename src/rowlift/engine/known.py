"""What the workspace knows about the due rows, brought into DuckDB."""

from collections.abc import Iterable

import pyarrow as pa
import sqlalchemy as sa

from rowlift.core.identifiers import PLAIN_EMAIL, PLAIN_EMAIL_LENGTH, email_key, email_valid
from rowlift.core.specs import SyncSpec
from rowlift.engine.duck import Duck, text
from rowlift.workspace import identifiers
from rowlift.workspace.identifiers import Named
from rowlift.workspace.numbers import handed_out
from rowlift.workspace.workspace import Workspace

FEW = 50_000  # due rows whose identifiers are looked up one by one in a large workspace
_LARGE = 5  # times the due rows

_FOUND = {
    "id": "coalesce(nullif(trim(found[2]), ''), nullif(trim(found[3]), ''))",
    "email": "nullif(trim(found[1]), '')",
    "anonymous_id": "nullif(trim(found[4]), '')",
}
_OWN = {
    "user_id": {"id": "key"},
    "email": {"email": "coalesce(nullif(trim(found[1]), ''), key)"},
    "anonymous_id": {"anonymous_id": "key"},
}

_NAMED = """
CREATE OR REPLACE TEMP TABLE apply_named AS
SELECT key, op, {id} AS id, {email} AS email, {anonymous_id} AS anonymous_id FROM apply_patches
"""
_UNUSUAL = f"""
SELECT DISTINCT email FROM apply_named WHERE email IS NOT NULL AND NOT
    (length(email) <= {PLAIN_EMAIL_LENGTH} AND regexp_full_match(email, {text(PLAIN_EMAIL)}))
"""
# Plain addresses are ASCII, where case folding is lower().
_ROWS = """
CREATE OR REPLACE TEMP TABLE apply_rows AS
SELECT n.*, {email_key} AS email_key, coalesce(u.bad, FALSE) AS bad_email
FROM apply_named n LEFT JOIN apply_unusual u ON u.email = n.email
"""

_KNOWN_PEOPLE = """
CREATE OR REPLACE TEMP VIEW apply_known AS
SELECT pid, revision, coalesce('id ' || id, email_key, 'a person known by an anonymous id') AS label
FROM apply_people
"""
_KNOWN_OBJECTS = """
CREATE OR REPLACE TEMP VIEW apply_known AS
SELECT pid, revision, 'object ' || object_id AS label FROM apply_objects
"""


def know_people(
    duck: Duck, connection: sa.Connection, workspace: Workspace, spec: SyncSpec
) -> None:
    """Create `apply_rows`, `apply_people`, `apply_anonymous` and `apply_known`."""
    own = spec.identify_by
    duck.run(_NAMED.format(**_FOUND | _OWN[own]))
    unusual = [email for (email,) in duck.rows(_UNUSUAL)]
    duck.register("apply_batch", _judged(unusual))
    duck.run("CREATE OR REPLACE TEMP TABLE apply_unusual AS FROM apply_batch")
    folded = "n.key" if own == "email" else "coalesce(u.email_key, lower(n.email))"
    duck.run(_ROWS.format(email_key=folded))
    duck.run("DROP TABLE apply_named")
    named = _named(duck) if _few(duck, connection, "people") else None
    people = identifiers.people(connection, workspace.id, named)
    _fill(duck, "apply_people", people, identifiers.PEOPLE, unique="pid")
    anonymous = identifiers.anonymous(connection, workspace.id, named)
    _fill(duck, "apply_anonymous", anonymous, identifiers.ANONYMOUS)
    duck.run(_KNOWN_PEOPLE)


def _judged(emails: list[str]) -> pa.Table:
    return pa.table(
        {
            "email": pa.array(emails, pa.string()),
            "email_key": pa.array(map(email_key, emails), pa.string()),
            "bad": pa.array([not email_valid(email) for email in emails], pa.bool_()),
        }
    )


def know_objects(
    duck: Duck, connection: sa.Connection, workspace: Workspace, object_type: str
) -> None:
    """Create `apply_rows`, `apply_objects` and `apply_known`."""
    duck.run("CREATE OR REPLACE TEMP TABLE apply_rows AS SELECT key, op FROM apply_patches")
    ids = _texts(duck, "key") if _few(duck, connection, "objects") else None
    objects = identifiers.objects(connection, workspace.id, object_type, ids)
    _fill(duck, "apply_objects", objects, identifiers.OBJECTS)
    duck.run(_KNOWN_OBJECTS)


def know_records(
    duck: Duck, connection: sa.Connection, workspace_id: int, table: str, placed: str
) -> None:
    """Create `apply_records`: what is stored of those whom rows of the query `placed` update."""
    updated = f"SELECT DISTINCT target FROM ({placed}) WHERE action IN ('update', 'clear')"
    pids = [pid for (pid,) in duck.rows(updated + " ORDER BY target")]
    records = identifiers.records(connection, workspace_id, table, pids)
    _fill(duck, "apply_records", records, identifiers.RECORDS)


def _few(duck: Duck, connection: sa.Connection, table: str) -> bool:
    due = duck.count("apply_rows")
    return due < FEW and due * _LARGE < handed_out(connection, table)


def _named(duck: Duck) -> Named:
    return Named(_texts(duck, "id"), _texts(duck, "email_key"), _texts(duck, "anonymous_id"))


def _texts(duck: Duck, column: str) -> list[str]:
    query = f"SELECT DISTINCT {column} AS v FROM apply_rows WHERE {column} IS NOT NULL ORDER BY v"
    return list(duck.table(query)["v"].to_pylist())


def _fill(
    duck: Duck, name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema, unique: str = ""
) -> None:
    duck.register("apply_batch", schema.empty_table())
    duck.run(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM apply_batch")
    for batch in batches:
        duck.register("apply_batch", pa.Table.from_batches([batch], schema))
        duck.run(f"INSERT INTO {name} FROM apply_batch")
    if unique:
        duck.run(f"""
CREATE OR REPLACE TEMP TABLE {name} AS
SELECT * FROM {name} QUALIFY row_number() OVER (PARTITION BY {unique}) = 1""")
