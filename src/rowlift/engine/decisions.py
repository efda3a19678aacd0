"""From who a row is to what is done: action, slice, and the words for those that are refused.

Reads `apply_decided`, `apply_deleted`, `apply_edges` and `apply_moves` of identity.py, and
`apply_known` (pid, revision, label); makes `apply_decisions`, narrow, one row per due row.
"""

from rowlift.core.nouns import Kind, Mode
from rowlift.engine.duck import Duck

_OBJECTS = """
CREATE OR REPLACE TEMP TABLE apply_decided AS
SELECT r.key, r.op, o.pid AS matched, o.pid AS target, FALSE AS attached, FALSE AS new_anonymous,
    NULL::VARCHAR AS id, NULL::VARCHAR AS email, NULL::VARCHAR AS email_key,
    NULL::VARCHAR AS anonymous_id, NULL::VARCHAR AS target_id, NULL::VARCHAR AS target_email_key,
    CASE WHEN r.op = 'upsert' AND {unwanted} THEN 'SKIP' ELSE '' END AS code,
    NULL::BIGINT AS other, NULL::VARCHAR AS rival, r.object_type, r.object_id
FROM apply_rows r LEFT JOIN apply_objects o
    ON o.object_type = r.object_type AND o.object_id = r.object_id
"""
_UNWANTED = {Mode.UPSERT: "FALSE", Mode.UPDATE: "o.pid IS NULL", Mode.CREATE: "o.pid IS NOT NULL"}

# To end a relationship that is not there is no fault, whoever it names.
_RELATIONSHIPS = """
CREATE OR REPLACE TEMP TABLE apply_decided AS
SELECT r.key, r.op, l.pid AS matched, l.pid AS target, FALSE AS attached, FALSE AS new_anonymous,
    NULL::VARCHAR AS id, NULL::VARCHAR AS email, NULL::VARCHAR AS email_key,
    NULL::VARCHAR AS anonymous_id, NULL::VARCHAR AS target_id, NULL::VARCHAR AS target_email_key,
    CASE WHEN r.op <> 'upsert' THEN '' WHEN p.pid IS NULL THEN 'PERSON_UNKNOWN'
        WHEN o.pid IS NULL THEN 'OBJECT_UNKNOWN' ELSE '' END AS code,
    NULL::BIGINT AS other, NULL::VARCHAR AS rival, p.pid AS person_pid, o.pid AS object_pid,
    r.object_type, r.object_id, r.{person} AS person
FROM apply_rows r LEFT JOIN apply_people p ON p.{person} = r.{person}
LEFT JOIN apply_objects o ON o.object_type = r.object_type AND o.object_id = r.object_id
LEFT JOIN apply_relationships l ON l.person_pid = p.pid AND l.object_pid = o.pid
"""

_OBJECTS_DELETED = """
CREATE OR REPLACE TEMP TABLE apply_deleted AS
SELECT matched AS pid FROM apply_decided
WHERE op = 'delete' AND matched IS NOT NULL AND matched NOT IN (FROM apply_kept)
"""
_NO_EDGES = "CREATE OR REPLACE TEMP TABLE apply_edges (key VARCHAR, next VARCHAR)"
_NO_MOVES = """
CREATE OR REPLACE TEMP TABLE apply_moves
(key VARCHAR, next VARCHAR, bad BOOLEAN, root VARCHAR, least VARCHAR)
"""
_NO_MERGES = """
CREATE OR REPLACE TEMP TABLE apply_merged
(into_pid BIGINT, strangers STRUCT(pid BIGINT, revision BIGINT)[])
"""
_NOBODY_MEETS = (_OBJECTS_DELETED, _NO_EDGES, _NO_MOVES, _NO_MERGES)

_ACTED = """
CREATE OR REPLACE TEMP TABLE apply_acted AS
SELECT *, CASE
    WHEN code = 'SKIP' THEN 'skip'
    WHEN code <> '' THEN 'reject'
    WHEN op = 'upsert' AND target IS NULL THEN 'create'
    WHEN op = 'upsert' THEN 'update'
    WHEN op = 'delete' AND matched IN (SELECT pid FROM apply_deleted) THEN 'delete'
    WHEN op IN ('clear', 'delete') AND target IS NOT NULL
        AND target NOT IN (SELECT pid FROM apply_deleted) THEN 'clear'
    WHEN op IN ('enter', 'leave') AND target IS NOT NULL
        AND target NOT IN (SELECT pid FROM apply_deleted) THEN op
    ELSE 'none' END AS action
FROM apply_decided
"""

# Rows of one person (by anonymous id): the last by key writes what all of them say.
_SHARED = """
CREATE OR REPLACE TEMP TABLE apply_shared AS
SELECT target, arg_max(key, (list_position(['leave', 'enter', 'clear', 'update'], action), key))
    AS writer, list(key ORDER BY key) FILTER (action = 'update') AS keys,
    max(id) FILTER (action = 'update') AS id,
    arg_max(email, key) FILTER (action = 'update') AS email,
    max(email_key) FILTER (action = 'update') AS email_key
FROM apply_acted WHERE action IN ('update', 'clear', 'enter', 'leave')
GROUP BY target HAVING count(*) > 1
"""
_YIELD = """
UPDATE apply_acted SET action = 'none' FROM apply_shared s
WHERE s.target = apply_acted.target AND action IN ('update', 'clear', 'enter', 'leave')
    AND key <> s.writer
"""
_GATHER = """
UPDATE apply_acted SET id = s.id, email = s.email, email_key = s.email_key FROM apply_shared s
WHERE s.writer = apply_acted.key AND action = 'update'
"""

_NUMBERED = """
CREATE OR REPLACE TEMP TABLE apply_decisions AS
WITH good AS (
    SELECT key, next FROM apply_edges WHERE key NOT IN (SELECT key FROM apply_moves WHERE bad)
),
movers AS (
    SELECT key, CASE WHEN next IS NULL THEN root ELSE least END AS ring FROM apply_moves
    WHERE NOT bad
    UNION ALL
    SELECT next, next FROM good WHERE next NOT IN (SELECT key FROM good)
),
placed AS (
    SELECT a.*, m.ring,
        CASE WHEN action IN ('skip', 'reject') OR (action = 'none' AND NOT new_anonymous) THEN 3
            WHEN action = 'delete' THEN 0 WHEN m.key IS NOT NULL THEN 1 ELSE 2 END AS phase
    FROM apply_acted a LEFT JOIN movers m ON m.key = a.key
),
positions AS (
    SELECT *, row_number() OVER (ORDER BY phase, coalesce(ring, key), key) - 1 AS position
    FROM placed
),
rings AS (
    SELECT ring, min(position) AS position FROM positions WHERE phase = 1 GROUP BY ring
)
SELECT a.key, a.action, a.target, a.attached, a.id, a.email, a.email_key, a.target_id,
    a.target_email_key, CASE WHEN a.new_anonymous THEN a.anonymous_id END AS anonymous_id,
    a.action = 'create' OR (a.id IS NOT NULL AND a.target_id IS NULL) OR
        (a.email_key IS NOT NULL AND a.email_key IS DISTINCT FROM a.target_email_key) AS takes,
    a.key IN (SELECT next FROM good) AS release,
    CASE a.phase WHEN 3 THEN -1
        ELSE (coalesce(r.position, a.position) // {slice_rows})::INTEGER END AS slice,
    a.position, CASE WHEN a.action = 'reject' THEN a.code ELSE '' END AS code, a.other, a.rival
    {own}
FROM positions a LEFT JOIN rings r ON r.ring = a.ring
"""

_RELATED_REASON = """CASE d.code
    WHEN 'PERSON_UNKNOWN' THEN 'The workspace knows nobody as ' || d.person || '.'
    WHEN 'OBJECT_UNKNOWN'
        THEN 'The workspace has no object ' || d.object_id || ' of type ' || d.object_type || '.'
    ELSE '' END"""

_REASON = """CASE
    WHEN d.code = '' THEN ''
    WHEN d.code = 'EMAIL_INVALID' THEN d.email || ' is not a valid e-mail address.'
    WHEN d.rival IS NOT NULL THEN 'The row of ' || d.rival || ' in the same result wants '
        || CASE d.code WHEN 'EMAIL_TAKEN' THEN d.email WHEN 'ID_TAKEN' THEN 'id ' || d.id
            ELSE 'the same person' END || ' too.'
    WHEN d.code = 'PERSON_AMBIGUOUS' THEN 'One identifier names ' || k.label
        || ', another one somebody else.'
    WHEN d.code IN ('ID_IMMUTABLE', 'EMAIL_IMMUTABLE') THEN 'The row says '
        || CASE d.code WHEN 'ID_IMMUTABLE' THEN 'id ' || d.id ELSE d.email END
        || ', the person is ' || k.label || '.'
    ELSE 'It belongs to ' || coalesce(k.label, 'another person') || '.' END"""


def reason(kind: Kind) -> str:
    """Return the expression of the words for a row that is refused."""
    return _RELATED_REASON if kind is Kind.RELATIONSHIP else _REASON


_OWN = {  # columns that only some kinds have
    Kind.PERSON: "",
    Kind.ACCOUNT: ", a.object_type, a.object_id",
    Kind.OBJECT: ", a.object_type, a.object_id",
    Kind.RELATIONSHIP: ", a.person_pid, a.object_pid, a.object_type, a.object_id, a.person",
}


def match_objects(duck: Duck, mode: Mode) -> None:
    """Create `apply_decided`: rows with their objects; there is nothing to fight for."""
    duck.run(_OBJECTS.format(unwanted=_UNWANTED[mode]))


def match_relationships(duck: Duck, person: str) -> None:
    """Create `apply_decided`: rows with their people (by `person`), objects and what joins them."""
    duck.run(_RELATIONSHIPS.format(person=person))


def decide_removals(duck: Duck) -> None:
    """Create what else is decided of objects and relationships: who is deleted."""
    for statement in _NOBODY_MEETS:
        duck.run(statement)


def number_rows(duck: Duck, slice_rows: int, kind: Kind, *, shared: bool) -> int:
    """Create `apply_decisions` and `apply_shared`; return how many new numbers they may need.

    `shared` tells that several rows may be of one person. A new person's number follows from the
    position of its row, so that numbers rise with keys; gaps are left.
    """
    duck.run(_ACTED)
    duck.run(_SHARED if shared else _SHARED.replace("WHERE", "WHERE FALSE AND"))
    duck.run(_YIELD)
    duck.run(_GATHER)
    duck.run(_NUMBERED.format(slice_rows=slice_rows, own=_OWN[kind]))
    duck.run("DROP TABLE apply_acted")
    duck.run("DROP TABLE apply_decided")
    (last,) = duck.one("SELECT max(position) FROM apply_decisions WHERE action = 'create'")
    return 0 if last is None else int(last) + 1
