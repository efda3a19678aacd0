"""Suppress: which rows are of people who must not be processed, by keyed hashes alone.

`watch` brings the hashes in; where nobody is suppressed nothing else costs anything.
"""

import pyarrow as pa

from rowlift.core.identifiers import email_key
from rowlift.core.nouns import Accepts, Kind, Removed
from rowlift.db import Database
from rowlift.engine.duck import Duck, text
from rowlift.workspace import suppression

_BLOCK = 64  # bytes of a block of SHA-256

_KIND = {"user_id": "id", "email": "email", "anonymous_id": "anonymous_id"}
_MEMBERS = {"/id": "id", "/user_id": "id", "/email": "email", "/anonymous_id": "anonymous_id"}

_ODD = """
SELECT DISTINCT value FROM named WHERE kind = 'email' AND strlen(value) <> length(value)
"""
_SUPPRESSED = """
CREATE OR REPLACE TEMP TABLE {table} AS
WITH told AS (
    SELECT n.{key}, kind || ':' || coalesce(o.folded,
        CASE kind WHEN 'email' THEN lower(n.value) ELSE n.value END) AS told
    FROM named n LEFT JOIN odd_named o ON kind = 'email' AND o.value = n.value
), likely AS (
    SELECT {key}, told FROM told WHERE quick_hash(told) IN (SELECT quick FROM suppressed)
)
SELECT DISTINCT {key} FROM likely WHERE keyed_hash(told) IN (SELECT hash FROM suppressed)
"""


def watch(duck: Duck, database: Database, workspace_id: int) -> bool:
    """Create the table `suppressed`; tell whether anybody is."""
    with database.read() as connection:
        key = suppression.key_of(connection, workspace_id)
        found = suppression.hashes(connection, workspace_id) if key else []
    if key is None or not found:
        return False
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
    named = [] if kind in (Kind.ACCOUNT, Kind.OBJECT) else _named(rows, kind, identify_by)
    whole = " UNION ALL ".join(named) or "SELECT '' AS key, '' AS kind, '' AS value WHERE FALSE"
    duck.run(f"CREATE OR REPLACE TEMP TABLE named AS {whole}")
    _find(duck, "suppressed_keys", "key")


def find_suppressed_people(duck: Duck, people: str) -> None:
    """Create `suppressed_people` of rows (pid, id, email_key) who are suppressed."""
    duck.run(f"""
CREATE OR REPLACE TEMP TABLE named AS
SELECT pid, 'id' AS kind, id AS value FROM {people} WHERE id IS NOT NULL
UNION ALL SELECT pid, 'email', email_key FROM {people} WHERE email_key IS NOT NULL""")
    _find(duck, "suppressed_people", "pid")


def _named(rows: str, kind: Kind, identify_by: str) -> list[str]:
    own = _KIND[identify_by]
    if kind is Kind.RELATIONSHIP:
        return [f"SELECT key, '{own}' AS kind, key->>2 AS value FROM ({rows})"]
    members = [
        f"""SELECT key, '{name}', trim(json_extract_string(attributes, '{pointer}'))
FROM ({rows}) WHERE contains(attributes, '"{pointer[1:]}":')"""
        for pointer, name in _MEMBERS.items()
    ]
    return [f"SELECT key, '{own}' AS kind, key AS value FROM ({rows})", *members]


def _find(duck: Duck, table: str, key: str) -> None:
    odd = [address for (address,) in duck.rows(_ODD)]
    folded = {
        "value": pa.array(odd, pa.string()),
        "folded": pa.array(map(email_key, odd), pa.string()),
    }
    duck.register("odd_named", pa.table(folded))
    duck.run(_SUPPRESSED.format(table=table, key=key))
    duck.run("DROP TABLE named")
