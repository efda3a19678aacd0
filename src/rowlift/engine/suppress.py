"""Suppress: which rows are of people who must not be processed, by keyed hashes alone.

`watch` brings the hashes in; where nobody is suppressed nothing else costs anything.
"""

from collections.abc import Collection

import pyarrow as pa
import sqlalchemy as sa

from rowlift.core.identifiers import email_key
from rowlift.core.nouns import Accepts, Kind, Reject, Removed
from rowlift.core.specs import SyncSpec
from rowlift.db import Database
from rowlift.engine.duck import Duck, text
from rowlift.workspace import conflicts, suppression
from rowlift.workspace.workspace import Workspace

_BLOCK = 64  # bytes of a block of SHA-256

IDENTIFIER_KINDS = {"user_id": "id", "email": "email", "anonymous_id": "anonymous_id"}
_MEMBERS = {"id": "id", "user_id": "id", "email": "email", "anonymous_id": "anonymous_id"}

# All members are found by one look at a text, which most rows of some syncs are spared.
_NAMED = """
SELECT key, unnest({kinds}) AS kind,
    unnest([key, trim(found[1]), trim(found[2]), trim(found[3]), trim(found[4])]) AS value
FROM (
    SELECT key, CASE WHEN {has_any} THEN json_extract_string(attributes, {pointers}) END AS found
    FROM ({rows})
)
"""
# Only who may be suppressed is kept; how an address beyond ASCII is folded, Python says.
_LIKELY = """
CREATE OR REPLACE TEMP TABLE named AS
SELECT * FROM ({named}) WHERE value IS NOT NULL AND ({odd} OR quick_hash(
    kind || ':' || CASE kind WHEN 'email' THEN lower(value) ELSE value END
) IN (SELECT quick FROM suppressed))
"""
_IS_ODD = "kind = 'email' AND strlen(value) <> length(value)"
_TOLD = """
SELECT n.* EXCLUDE (kind, value), kind || ':' || coalesce(o.folded,
    CASE kind WHEN 'email' THEN lower(n.value) ELSE n.value END) AS told
FROM named n LEFT JOIN odd_named o ON kind = 'email' AND o.value = n.value
"""
_SUPPRESSED = f"""
CREATE OR REPLACE TEMP TABLE {{table}} AS
SELECT DISTINCT {{key}} FROM ({_TOLD}) WHERE keyed_hash(told) IN (SELECT hash FROM suppressed)
"""
_BESIDE = f"""
CREATE OR REPLACE TEMP TABLE beside AS
WITH hashed AS (
    SELECT key, told, keyed_hash(told) AS hash FROM ({_TOLD})
), roots AS (
    SELECT key, min(hash) AS root FROM hashed WHERE hash IN (SELECT hash FROM suppressed)
    GROUP BY key
)
SELECT h.key, h.told, r.root FROM hashed h JOIN roots r USING (key)
WHERE h.hash NOT IN (SELECT hash FROM suppressed)
"""


def watch(duck: Duck, database: Database, workspace_id: int, learned: Collection[str] = ()) -> bool:
    """Create the table `suppressed`; tell whether anybody is.

    The identifiers that were `learned` count as suppressed too.
    """
    with database.read() as connection:
        key = suppression.key_of(connection, workspace_id)
        found = suppression.hashes(connection, workspace_id) if key else []
    if key is None or not found:
        return False
    found += [(suppression.quick(key, one), suppression.hashed(key, one)) for one in learned]
    quick, whole = zip(*found, strict=True)
    hashes = {"quick": pa.array(quick, pa.uint64()), "hash": pa.array(whole, pa.string())}
    duck.register("apply_batch", pa.table(hashes))
    duck.run("CREATE OR REPLACE TEMP TABLE suppressed AS FROM apply_batch")
    duck.run(f"""CREATE OR REPLACE TEMP MACRO quick_hash(x) AS
        (md5_number({text(key.hex())} || x) >> 64)::UBIGINT""")
    inner, outer = (_blob(bytes(one ^ pad for one in key.ljust(_BLOCK, b"\0"))) for pad in _PADS)
    duck.run(f"""CREATE OR REPLACE TEMP MACRO keyed_hash(x) AS
        sha256({outer} || unhex(sha256({inner} || encode(x))))""")
    return True


_PADS = (0x36, 0x5C)  # of HMAC


def _blob(value: bytes) -> str:
    return f"unhex('{value.hex()}')"


def op_for(accepts: Accepts) -> str:
    """Return what a destination is told of somebody suppressed whom it has; empty if it cannot."""
    for removed in (Removed.DELETE, Removed.CLEAR):
        if removed in accepts.removed:
            return removed.value
    return ""


def find_suppressed(duck: Duck, rows: str, kind: Kind, identify_by: str) -> None:
    """Create `suppressed_keys` of rows (key, attributes) that name somebody suppressed."""
    named = "SELECT '' AS key, '' AS kind, '' AS value WHERE FALSE"
    if kind is Kind.PERSON:
        named = _named(rows, identify_by)
    elif kind is Kind.RELATIONSHIP:
        own = text(IDENTIFIER_KINDS[identify_by])
        named = f"SELECT key, {own} AS kind, key->>2 AS value FROM ({rows})"
    _find(duck, named, "suppressed_keys", "key")


def suppressed_since(
    connection: sa.Connection,
    workspace: Workspace,
    spec: SyncSpec,
    rows: pa.Table,
    listed: int | None,
) -> dict[str, Reject]:
    """Return the rows of a slice whose people were suppressed after they were planned.

    `listed` is the revision of suppressions that the plan goes by; None if another process made it.
    """
    if suppression.revision(connection, workspace.id) in (0, listed):
        return {}
    own = IDENTIFIER_KINDS.get(spec.identify_by, "")
    return conflicts.find_suppressed(connection, workspace.id, rows, own)


def find_suppressed_people(duck: Duck, people: str) -> None:
    """Create `suppressed_people` of rows (pid, id, email_key) who are suppressed."""
    named = f"""
SELECT pid, unnest(['id', 'email']) AS kind, unnest([id, email_key]) AS value FROM {people}"""
    _find(duck, named, "suppressed_people", "pid")


def _named(rows: str, identify_by: str) -> str:
    return _NAMED.format(
        kinds=[IDENTIFIER_KINDS[identify_by], *_MEMBERS.values()],
        has_any=" OR ".join(f"contains(attributes, '\"{one}\":')" for one in _MEMBERS),
        pointers=[f"/{one}" for one in _MEMBERS],
        rows=rows,
    )


def find_beside(duck: Duck, rows: str, identify_by: str) -> None:
    """Create `beside`: what suppressed rows name (told) that is not suppressed itself.

    `root` is the hash of a suppressed identifier of the same row.
    """
    named = _named(f"SELECT key, attributes FROM {rows}", identify_by)
    duck.run(f"""CREATE OR REPLACE TEMP TABLE named AS
        SELECT * FROM ({named}) WHERE value IS NOT NULL AND value <> ''""")
    _fold(duck)
    duck.run(_BESIDE)
    duck.run("DROP TABLE named")


def _find(duck: Duck, named: str, table: str, key: str) -> None:
    duck.run(_LIKELY.format(named=named, odd=_IS_ODD))
    _fold(duck)
    duck.run(_SUPPRESSED.format(table=table, key=key))
    duck.run("DROP TABLE named")


def _fold(duck: Duck) -> None:
    """Create `odd_named`: how the addresses beyond ASCII of `named` are folded."""
    odd = [address for (address,) in duck.rows(f"SELECT DISTINCT value FROM named WHERE {_IS_ODD}")]
    folded = {
        "value": pa.array(odd, pa.string()),
        "folded": pa.array(map(email_key, odd), pa.string()),
    }
    duck.register("odd_named", pa.table(folded))
