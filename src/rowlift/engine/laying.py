"""Laying the due rows over what is stored, as set operations; the texts come out canonical.

DuckDB's JSON writer is used only for texts that it returns unchanged. What is left over goes
through attributes.py, row by row.
"""

from collections.abc import Mapping, Sequence
from itertools import starmap
from pathlib import Path
from typing import Any

import pyarrow as pa

from rowlift.engine import attributes
from rowlift.engine.duck import Duck, parquet, text

MOST_NAMES = 400  # beyond it the generated expression costs more than Python
_CHUNK = 20_000

FOUND = ("email", "id", "user_id", "anonymous_id")

_BOTH_IDS = "trim(coalesce(found[2], '')) <> '' AND found[3] IS NOT NULL"
_MEMBERS = {  # what is an identifier and no attribute, and the condition under which it is not
    "user_id": {"email": "", "anonymous_id": ""},
    "email": {"email": "", "user_id": _BOTH_IDS, "id": "", "anonymous_id": ""},
    "anonymous_id": {"email": "", "user_id": _BOTH_IDS, "id": ""},
}


def take_apart(duck: Duck, identify_by: str, due: str) -> None:
    """Create `apply_patches`: due rows with their identifiers (`found`) apart from attributes."""
    path = duck.scratch_file("patches")
    duck.write(apart(identify_by, due), path)
    _repair(duck, path, _MEMBERS.get(identify_by, {}))


def apart(identify_by: str, due: str) -> str:
    """Return the query of due rows with `found` apart from the other attributes (`patch`).

    Where it takes more than cutting pieces out, `patch` is NULL and `whole` has all attributes.
    """
    pointers = "[" + ", ".join(text(f"/{member}") for member in FOUND) + "]"
    found = f"CASE WHEN op = 'upsert' THEN json_extract_string(attributes, {pointers}) END"
    rows = f"SELECT *, {found} AS found, attributes AS patch FROM {due}"
    for member, unless in _MEMBERS.get(identify_by, {}).items():
        rows = _cut(rows, member, unless)
    return f"""
SELECT key, version, op, fp, present, row_number, found, patch,
    CASE WHEN patch IS NULL THEN attributes END AS whole
FROM ({rows})"""


def _cut(rows: str, member: str, unless: str = "", only: str = "") -> str:
    """The rows without one member of `patch`; NULL where it takes more than cutting a piece out."""
    name = text(f"{attributes.label(member)}:")
    value = f"json_extract(patch, {text(_pointer(member))})::VARCHAR"
    piece = f"CASE WHEN contains(patch, {name}) THEN {name} || {value} END"
    if unless or only:
        piece = f"CASE WHEN {unless or f'NOT {only}'} THEN NULL ELSE {piece} END"
    return f"""
SELECT * EXCLUDE (piece, parts) REPLACE ({_CUT} AS patch)
FROM (
    SELECT *, string_split(patch, ',' || piece) AS parts
    FROM (SELECT *, {piece} AS piece FROM ({rows}))
)
"""


# One occurrence is the member itself; more may stand inside nested objects.
_CUT = """CASE
WHEN piece IS NULL THEN patch
WHEN starts_with(patch, '{' || piece || ',') THEN '{' || substr(patch, length(piece) + 3)
WHEN patch = '{' || piece || '}' THEN '{}'
WHEN len(parts) = 2 AND left(parts[2], 1) IN (',', '}') THEN parts[1] || parts[2]
END"""


def _repair(duck: Duck, path: Path, members: Mapping[str, str]) -> None:
    source = parquet([path])
    duck.run("CREATE OR REPLACE TEMP TABLE apply_repaired (key VARCHAR, patch VARCHAR)")
    query = f"SELECT key, whole, ({_BOTH_IDS}) FROM {source} WHERE whole IS NOT NULL"
    for rows in _chunks(duck, query):
        kept = [
            (key, attributes.without(whole, frozenset(members) - ({"user_id"} if both else set())))
            for key, whole, both in rows
        ]
        _insert(duck, "apply_repaired", ("key", "patch"), kept)
    repaired = f"""
SELECT p.* EXCLUDE (whole) REPLACE (coalesce(p.patch, r.patch) AS patch)
FROM {source} p LEFT JOIN apply_repaired r ON r.key = p.key"""
    plain = f"SELECT * EXCLUDE (whole) FROM {source}"
    some = duck.count("apply_repaired") > 0
    duck.run(f"CREATE OR REPLACE TEMP VIEW apply_patches AS {repaired if some else plain}")


_COMBINE = """
SELECT s.writer, list(p.patch ORDER BY p.key)
FROM (SELECT writer, unnest(keys) AS key FROM apply_shared) s
JOIN apply_patches p ON p.key = s.key GROUP BY s.writer
"""

PLACED = """
SELECT d.*, p.version, p.op, p.fp, p.present, p.row_number, coalesce(c.patch, p.patch) AS patch
FROM apply_patches p JOIN apply_decisions d ON d.key = p.key
LEFT JOIN apply_combined c ON c.key = p.key
"""

_LAID = """
CREATE OR REPLACE TEMP VIEW apply_laid AS
SELECT d.*, r.attributes AS current, r.origins, r.sync_uid, r.run_id, r.as_of,
    r.email AS current_email
FROM ({placed}) d LEFT JOIN apply_records r ON r.pid = d.target
"""

# `usual`: DuckDB may write the text. What is in no way has the row's own text as the result; it
# leaves nothing of what others wrote, and so no origins.
_WAYS = """
SELECT key, CASE WHEN json(patch)::VARCHAR = patch
    AND (current IS NULL OR json(current)::VARCHAR = current) THEN 'usual' ELSE 'slow' END AS way,
    CASE WHEN current IS NOT NULL THEN json_array(action, json_keys(current), origins::JSON,
        json_array(sync_uid, run_id, as_of), json_keys(patch))::VARCHAR END AS shape
FROM apply_laid
WHERE action IN ('create', 'update', 'clear') AND (current IS NOT NULL OR contains(patch, ':null'))
    AND CASE WHEN contains(patch, ':null') OR action = 'clear' THEN TRUE
        WHEN current = '{}' OR json_keys(patch) = json_keys(current) THEN FALSE
        ELSE NOT list_has_all(json_keys(patch), json_keys(current)) END
"""

_SLOW = """
SELECT l.key, l.current, coalesce(s.cleared, l.patch)
FROM apply_laid l JOIN apply_ways w ON w.key = l.key LEFT JOIN apply_shapes s ON s.shape = w.shape
WHERE w.way = 'slow' OR ({rare} AND w.way = 'usual')
"""

_NAMES = """
SELECT DISTINCT unnest(names) FROM (
    SELECT DISTINCT json_keys(l.current) AS names FROM apply_laid l JOIN apply_ways w
        ON w.key = l.key WHERE w.way = 'usual'
    UNION ALL
    SELECT DISTINCT json_keys(l.patch) FROM apply_laid l JOIN apply_ways w
        ON w.key = l.key WHERE w.way = 'usual'
)
"""


def combine(duck: Duck) -> None:
    """Create `apply_combined` from `apply_shared`: one patch for the rows of one person."""
    duck.run("CREATE OR REPLACE TEMP TABLE apply_combined (key VARCHAR, patch VARCHAR)")
    for rows in _chunks(duck, _COMBINE):
        whole = [(key, attributes.combined(patches)) for key, patches in rows]
        _insert(duck, "apply_combined", ("key", "patch"), whole)


def lay(duck: Duck, placed: str, sync_uid: str, kept: Sequence[str] = (), undone: str = "") -> str:
    """Return the query of the rows `placed` with the columns attributes and origins_after.

    `placed` has the columns of PLACED; what is stored of its people is read from `apply_records`.
    Attributes that are `kept` are laid only where nothing is stored. Rows of the relation `undone`
    take back what `sync_uid` wrote, and nothing else.
    """
    duck.run(_LAID.format(placed=placed))
    if kept:
        _withhold(duck, kept)
    if undone:
        _confine(duck, placed, undone, sync_uid)
    are_all_direct = not _find_ways(duck)
    _find_shapes(duck, sync_uid)
    found = [] if are_all_direct else duck.rows(_NAMES)
    names = sorted((name for (name,) in found), key=str.encode)
    _lay_slowly(duck, [] if are_all_direct else _chunks(duck, _slow(names)))
    return _laid(names[:MOST_NAMES])


def _withhold(duck: Duck, kept: Sequence[str]) -> None:
    """Take out of the patches what is stored already."""
    rows = "SELECT *, patch AS given FROM apply_laid"
    for member in kept:
        rows = _cut(
            rows, member, only=f"coalesce(json_exists(current, {text(_pointer(member))}), FALSE)"
        )
    path = duck.scratch_file("laid")
    duck.write(rows, path)
    duck.run("CREATE OR REPLACE TEMP TABLE apply_withheld (key VARCHAR, patch VARCHAR)")
    query = f"SELECT key, current, given FROM {parquet([path])} WHERE patch IS NULL"
    for chunk in _chunks(duck, query):
        left = [
            (key, attributes.without(given, frozenset(kept) & attributes.split(current).keys()))
            for key, current, given in chunk
        ]
        _insert(duck, "apply_withheld", ("key", "patch"), left)
    duck.run(f"""
CREATE OR REPLACE TEMP VIEW apply_laid AS
SELECT l.* EXCLUDE (given) REPLACE (coalesce(l.patch, w.patch) AS patch)
FROM {parquet([path])} l LEFT JOIN apply_withheld w ON w.key = l.key""")


_GIVEN = """
SELECT p.key, p.patch, u.attributes, l.current, l.origins, l.sync_uid, l.run_id, l.as_of
FROM ({placed}) p JOIN {undone} u ON u.key = p.key JOIN apply_laid l ON l.key = p.key
WHERE l.current IS NOT NULL AND p.action = 'update'
"""


def _confine(duck: Duck, placed: str, undone: str, sync_uid: str) -> None:
    """Take out of the patches of undone rows what was not undone, or is another's by now."""
    path = duck.scratch_file("laid")
    duck.write("SELECT * FROM apply_laid", path)
    duck.run("CREATE OR REPLACE TEMP TABLE apply_confined (key VARCHAR, patch VARCHAR)")
    for chunk in _chunks(duck, _GIVEN.format(placed=placed, undone=undone)):
        back = [
            (key, attributes.taken_back(patch, after, attributes.Stored(*stored), sync_uid))
            for key, patch, after, *stored in chunk
        ]
        _insert(duck, "apply_confined", ("key", "patch"), back)
    duck.run(f"""
CREATE OR REPLACE TEMP VIEW apply_laid AS
SELECT l.* REPLACE (coalesce(c.patch, l.patch) AS patch)
FROM {parquet([path])} l LEFT JOIN apply_confined c ON c.key = l.key""")


def _find_ways(duck: Duck) -> int:
    path = duck.scratch_file("ways")
    rows = duck.write(_WAYS, path)
    duck.run(f"CREATE OR REPLACE TEMP VIEW apply_ways AS SELECT * FROM {parquet([path])}")
    return rows


def _find_shapes(duck: Duck, sync_uid: str) -> None:
    columns = ("shape", "cleared", "origins")
    duck.run(
        "CREATE OR REPLACE TEMP TABLE apply_shapes"
        " (shape VARCHAR, cleared VARCHAR, origins VARCHAR)"
    )
    query = "SELECT DISTINCT shape FROM apply_ways WHERE shape IS NOT NULL"
    for rows in _chunks(duck, query):
        found = [(shape, *attributes.after(shape, sync_uid)) for (shape,) in rows]
        _insert(duck, "apply_shapes", columns, found)


def _slow(names: Sequence[str]) -> str:
    return _SLOW.format(rare=len(names) > MOST_NAMES)


def _lay_slowly(duck: Duck, chunks: Sequence[Sequence[tuple[Any, ...]]]) -> None:
    duck.run("CREATE OR REPLACE TEMP TABLE apply_slow (key VARCHAR, attributes VARCHAR)")
    for rows in chunks:
        found = [(key, attributes.merged(current, patch)) for key, current, patch in rows]
        _insert(duck, "apply_slow", ("key", "attributes"), found)


def _laid(names: Sequence[str]) -> str:
    paths = "[" + ", ".join(text(_pointer(each)) for each in names) + "]::VARCHAR[]"
    members = ", ".join(starmap(_member, enumerate(names, 1))) or "NULL"
    return f"""
SELECT * EXCLUDE (way, p, c), CASE WHEN way = 'direct' THEN patch WHEN slow IS NOT NULL THEN slow
    ELSE '{{' || concat_ws(',', {members}) || '}}' END AS attributes
FROM (
    SELECT *, CASE WHEN way = 'usual' THEN json_extract(patch, {paths}) END AS p,
        CASE WHEN way = 'usual' THEN json_extract(current, {paths}) END AS c
    FROM (
        SELECT l.* REPLACE (coalesce(s.cleared, l.patch) AS patch),
            coalesce(w.way, 'direct') AS way, o.attributes AS slow,
            coalesce(s.origins, '[]') AS origins_after
        FROM apply_laid l LEFT JOIN apply_ways w ON w.key = l.key
        LEFT JOIN apply_shapes s ON s.shape = w.shape LEFT JOIN apply_slow o ON o.key = l.key
    )
)"""


def _member(at: int, member: str) -> str:
    name = text(attributes.label(member) + ":")
    return f"{name} || nullif(coalesce(p[{at}]::VARCHAR, c[{at}]::VARCHAR), 'null')"


def _pointer(member: str) -> str:
    return "/" + member.replace("~", "~0").replace("/", "~1")


def _chunks(duck: Duck, query: str) -> list[list[tuple[Any, ...]]]:
    rows = duck.rows(query)
    return [rows[at : at + _CHUNK] for at in range(0, len(rows), _CHUNK)]


def _insert(
    duck: Duck, name: str, columns: Sequence[str], rows: Sequence[tuple[str | None, ...]]
) -> None:
    arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    duck.register("apply_batch", pa.table(arrays, names=list(columns)))
    duck.run(f"INSERT INTO {name} FROM apply_batch")
