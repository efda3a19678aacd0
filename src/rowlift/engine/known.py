"""What the workspace knows about the due rows, brought into DuckDB."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import sqlalchemy as sa

from rowlift.core.identifiers import PLAIN_EMAIL, PLAIN_EMAIL_LENGTH, email_key, email_valid
from rowlift.core.nouns import Kind
from rowlift.core.specs import SyncSpec
from rowlift.engine.duck import Duck, parquet, text
from rowlift.engine.early import Early, are_few, by_own, texts
from rowlift.engine.familiar import OWN, set_familiar_apart
from rowlift.workspace import contributions, identifiers
from rowlift.workspace.identifiers import Named
from rowlift.workspace.workspace import Workspace

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
SELECT key, op, id, email, anonymous_id FROM ({named})
"""
USUAL_EMAIL = (
    f"(length(email) <= {PLAIN_EMAIL_LENGTH} AND regexp_full_match(email, {text(PLAIN_EMAIL)}))"
)
_UNUSUAL = f"""
SELECT DISTINCT email FROM apply_named WHERE email IS NOT NULL AND NOT {USUAL_EMAIL}
"""
# Plain addresses are ASCII, where case folding is lower().
_ROWS = """
CREATE OR REPLACE TEMP TABLE apply_rows AS
SELECT n.*, {email_key} AS email_key, coalesce(u.bad, FALSE) AS bad_email
FROM apply_named n LEFT JOIN apply_unusual u ON u.email = n.email
"""

_MET = """
CREATE OR REPLACE TEMP TABLE apply_people AS
SELECT DISTINCT ON (pid) * FROM (FROM apply_people UNION ALL FROM apply_met)
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
_KNOWN_RELATIONSHIPS = """
CREATE OR REPLACE TEMP VIEW apply_known AS
SELECT pid, revision, 'a relationship' AS label FROM apply_relationships
"""

_ACCOUNTS = "key, op, '1' AS object_type, key AS object_id"
_OBJECTS = "key, op, key->>0 AS object_type, key->>1 AS object_id"
_ENDS = f"{_OBJECTS}, key->>2 AS {{person}}"
_KEYED = "CREATE OR REPLACE TEMP TABLE apply_rows AS SELECT {columns} FROM apply_patches"


def know_people(
    duck: Duck,
    connection: sa.Connection,
    workspace: Workspace,
    spec: SyncSpec,
    early: Early | None = None,
) -> None:
    """Create `apply_rows`, `apply_people`, `apply_anonymous` and `apply_known`.

    Rows of familiar people are not among `apply_rows` but in `apply_familiar`. What was asked for
    early stands in `apply_records` too.
    """
    own = spec.identify_by
    duck.run(_NAMED.format(named=named(own, "FROM apply_patches")))
    few = early is not None or _few(duck, connection, "apply_named", "people")
    if early:
        _take_early(duck, early.found())
    else:
        keys = _keys(duck, own) if few else None
        people = identifiers.people(connection, workspace.id, keys)
        fill(duck, "apply_people", people, identifiers.PEOPLE)
    set_familiar_apart(duck, spec)
    judge_emails(duck, _UNUSUAL)
    folded = "n.key" if own == "email" else "coalesce(u.email_key, lower(n.email))"
    duck.run(_ROWS.format(email_key=folded))
    duck.run("DROP TABLE apply_named")
    others = _identifiers(duck) if few else None
    if others and duck.count("apply_rows"):
        met = identifiers.people(connection, workspace.id, others)
        fill(duck, "apply_met", met, identifiers.PEOPLE)
        duck.run(_MET)
    anonymous = identifiers.anonymous(connection, workspace.id, others)
    fill(duck, "apply_anonymous", anonymous, identifiers.ANONYMOUS)
    duck.run(_KNOWN_PEOPLE)


def _take_early(duck: Duck, found: Sequence[Path]) -> None:
    people, records = (
        f"SELECT {', '.join(schema.names)} FROM {parquet(found)}"
        for schema in (identifiers.PEOPLE, identifiers.RECORDS)
    )
    duck.run(f"CREATE OR REPLACE TEMP TABLE apply_people AS {people}")
    duck.run(f"CREATE OR REPLACE TEMP VIEW apply_early AS {records}")
    duck.run(_RECORDS.format(stored="apply_early"))
    fill(duck, "apply_recorded", (), identifiers.RECORDS)


def _keys(duck: Duck, own: str) -> Named:
    return by_own(texts(duck, "apply_named", "key") if own in OWN else (), own)


def named(identify_by: str, rows: str) -> str:
    """Return the query of rows that have `found`, with id, email and anonymous_id."""
    columns = ", ".join(
        f"{value} AS {name}" for name, value in (_FOUND | _OWN[identify_by]).items()
    )
    return f"SELECT *, {columns} FROM ({rows})"


def judge_emails(duck: Duck, query: str) -> None:
    """Create `apply_unusual` (email, email_key, bad) of the addresses a query returns."""
    duck.register("apply_unusual", _judged([email for (email,) in duck.rows(query)]))


def _judged(emails: list[str]) -> pa.Table:
    return pa.table(
        {
            "email": pa.array(emails, pa.string()),
            "email_key": pa.array(map(email_key, emails), pa.string()),
            "bad": pa.array([not email_valid(email) for email in emails], pa.bool_()),
        }
    )


def know_objects(
    duck: Duck, connection: sa.Connection, workspace: Workspace, spec: SyncSpec
) -> None:
    """Create `apply_rows`, `apply_objects` and `apply_known`."""
    columns = _ACCOUNTS if spec.kind is Kind.ACCOUNT else _OBJECTS
    duck.run(_KEYED.format(columns=columns))
    _fill_objects(duck, connection, workspace)
    duck.run(_KNOWN_OBJECTS)


_AHEAD = (
    "DELETE FROM apply_{table} WHERE pid IN (SELECT pid FROM ahead_{table})",
    """INSERT INTO apply_{table} BY NAME
    SELECT * EXCLUDE (action) FROM ahead_{table} WHERE action <> 'delete'""",
)


def know_relationships(
    duck: Duck,
    connection: sa.Connection,
    workspace: Workspace,
    spec: SyncSpec,
    *,
    ahead: bool = False,
) -> None:
    """Create `apply_rows`, `apply_people`, `apply_objects`, `apply_relationships`, `apply_known`.

    With `ahead` the people and objects of `ahead_people` and `ahead_objects` count as written.
    """
    column = "email_key" if spec.identify_by == "email" else "id"
    duck.run(_KEYED.format(columns=_ENDS.format(person=column)))
    few = _few(duck, connection, "apply_rows", "people")
    values = texts(duck, "apply_rows", column) if few else ()
    ids, emails = (values, ()) if column == "id" else ((), values)
    people = identifiers.people(connection, workspace.id, Named(ids, emails, ()) if few else None)
    fill(duck, "apply_people", people, identifiers.PEOPLE)
    _fill_objects(duck, connection, workspace)
    if ahead:
        for statement in _AHEAD:
            duck.run(statement.format(table="people"))
            duck.run(statement.format(table="objects"))
    met = f"SELECT DISTINCT p.pid FROM apply_rows r JOIN apply_people p USING ({column}) ORDER BY 1"
    pids = [pid for (pid,) in duck.rows(met)]
    found = identifiers.relationships(connection, workspace.id, pids)
    fill(duck, "apply_relationships", found, identifiers.RELATIONSHIPS)
    duck.run(_KNOWN_RELATIONSHIPS)


def _fill_objects(duck: Duck, connection: sa.Connection, workspace: Workspace) -> None:
    few = _few(duck, connection, "apply_rows", "objects")
    types = texts(duck, "apply_rows", "object_type")
    objects = (
        batch
        for one in types
        for batch in identifiers.objects(
            connection, workspace.id, one, _ids_of_type(duck, one) if few else None
        )
    )
    fill(duck, "apply_objects", objects, identifiers.OBJECTS)


def _ids_of_type(duck: Duck, object_type: str) -> list[str]:
    rows = duck.rows(
        "SELECT DISTINCT object_id FROM apply_rows WHERE object_type = ?", [object_type]
    )
    return sorted(one for (one,) in rows)


_LEAVING = """
SELECT DISTINCT m.matched AS pid FROM {matches} m JOIN apply_patches p ON p.key = m.key
WHERE m.op = 'delete' AND (NOT p.present {undone}) AND m.matched IS NOT NULL ORDER BY pid
"""


def know_kept(
    duck: Duck,
    connection: sa.Connection,
    table: str,
    matches: str,
    sync_uid: str,
    undone: str = "",
) -> None:
    """Create `apply_kept`: who stays though a row of theirs that would delete them has left.

    A row that says itself that a relationship ends has not left, unless it is `undone`.
    """
    also = f"OR p.key IN (SELECT key FROM {undone})" if undone else ""
    pids = [pid for (pid,) in duck.rows(_LEAVING.format(matches=matches, undone=also))]
    kept = contributions.kept_by_others(connection, table, pids, sync_uid)
    fill(duck, "apply_kept", kept, contributions.KEPT)


_UPDATED = """
SELECT DISTINCT target FROM {rows} WHERE action IN ('update', 'clear') {new} ORDER BY target
"""
_NEW = "AND target NOT IN (SELECT pid FROM apply_records)"
_RECORDS = "CREATE OR REPLACE TEMP VIEW apply_records AS FROM {stored}"


def know_records(
    duck: Duck, connection: sa.Connection, workspace_id: int, table: str, rows: str, *, early: bool
) -> None:
    """Create `apply_records`: what is stored of those whom some rows update.

    Those asked for `early` stand there already.
    """
    updated = _UPDATED.format(rows=rows, new=_NEW if early else "")
    pids = [pid for (pid,) in duck.rows(updated)]
    if early and not pids:
        return
    records = identifiers.records(connection, workspace_id, table, pids)
    fill(duck, "apply_recorded", records, identifiers.RECORDS, keep=early)
    stored = "apply_early UNION ALL FROM apply_recorded" if early else "apply_recorded"
    duck.run(_RECORDS.format(stored=stored))


def fill(
    duck: Duck,
    name: str,
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    *,
    keep: bool = False,
) -> None:
    """Bring batches in as a temporary table, or add them to what it holds."""
    if not keep:
        duck.register(name, schema.empty_table())
    for batch in batches:
        duck.register("apply_stream", pa.RecordBatchReader.from_batches(schema, [batch]))
        duck.run(f"INSERT INTO {name} FROM apply_stream")


def _few(duck: Duck, connection: sa.Connection, rows: str, table: str) -> bool:
    return are_few(connection, duck.count(rows), table)


def _identifiers(duck: Duck) -> Named:
    ids, emails, anonymous = (
        texts(duck, "apply_rows", column) for column in ("id", "email_key", "anonymous_id")
    )
    return Named(ids, emails, anonymous)
