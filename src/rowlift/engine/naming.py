"""Naming: by which identifiers rows name people, as texts and as the hashes that stand for them."""

import pyarrow as pa

from rowlift.core.identifiers import email_key
from rowlift.core.nouns import Kind
from rowlift.engine.duck import Duck

IDENTIFIER_KINDS = {"user_id": "id", "email": "email", "anonymous_id": "anonymous_id"}
_MEMBERS = {"id": "id", "user_id": "id", "email": "email", "anonymous_id": "anonymous_id"}

Values = tuple[tuple[str, str], ...]  # kinds, each with the expression of a value in a row

_FOUND = "SELECT key, json_extract_string(attributes, {pointers}) AS found FROM ({rows})"

# How an address beyond ASCII is folded, Python says.
_GLANCE = """
SELECT hash(key) AS hashed_key, coalesce({is_odd}, FALSE) AS is_odd, {hashes} FROM ({found})
"""
_NAMED = """
CREATE OR REPLACE TEMP TABLE named AS
SELECT * FROM (SELECT key, unnest({kinds}) AS kind, unnest([{values}]) AS value FROM ({found}))
WHERE value <> ''
"""
_ODD = "strlen({value}) <> length({value})"
_ODD_NAMED = f"""
SELECT DISTINCT value FROM named WHERE kind = 'email' AND {_ODD.format(value="value")}
"""
_TOLD = """
CREATE OR REPLACE TEMP TABLE told AS
SELECT n.key, kind || ':' || coalesce(o.folded,
    CASE kind WHEN 'email' THEN lower(n.value) ELSE n.value END) AS told
FROM named n LEFT JOIN odd_named o ON kind = 'email' AND o.value = n.value
"""


def values(kind: Kind, identify_by: str) -> Values:
    """Return what rows of a sync name people by."""
    if kind is Kind.RELATIONSHIP:
        return ((IDENTIFIER_KINDS[identify_by], "(key->>2)"),)
    if kind is not Kind.PERSON:
        return ()
    members = ((one, f"trim(found[{at}])") for at, one in enumerate(_MEMBERS.values(), 1))
    return ((IDENTIFIER_KINDS[identify_by], "key"), *members)


def glance(rows: str, named_by: Values) -> str:
    """Return the query of `hashed_key`, `is_odd` and, as `hash_0` and so on, all that rows name."""
    odd = [_ODD.format(value=value) for kind, value in named_by if kind == "email"]
    hashes = (
        f"quick_hash('{kind}:' || {_folded(kind, value)}) AS hash_{at}"
        for at, (kind, value) in enumerate(named_by)
    )
    return _GLANCE.format(
        is_odd=" OR ".join(odd) or "FALSE", hashes=", ".join(hashes), found=_found(rows)
    )


def _folded(kind: str, value: str) -> str:
    return f"lower({value})" if kind == "email" else value


def tell(duck: Duck, rows: str, named_by: Values) -> None:
    """Create the table `told` (key, told): every identifier of the rows as it is hashed."""
    duck.run(
        _NAMED.format(
            kinds=[kind for kind, _ in named_by],
            values=", ".join(value for _, value in named_by),
            found=_found(rows),
        )
    )
    odd = [address for (address,) in duck.rows(_ODD_NAMED)]
    folded = {
        "value": pa.array(odd, pa.string()),
        "folded": pa.array(map(email_key, odd), pa.string()),
    }
    duck.register("odd_named", pa.table(folded))
    duck.run(_TOLD)
    duck.run("DROP TABLE named")


def _found(rows: str) -> str:
    return _FOUND.format(pointers=[f"/{one}" for one in _MEMBERS], rows=rows)
