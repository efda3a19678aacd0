"""Who must not be processed: identifiers as keyed hashes, so that who was erased stays suppressed.

An identifier is written `kind:value` (kinds id, email, anonymous_id; addresses case-folded). Its
`hash` is the HMAC-SHA256 under a key of the workspace. `quick`, the lower half of the MD5 of a salt
and the identifier, only spares comparing millions of rows by the slow hash. The salt is short, so
that most identifiers make one block.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa
import sqlalchemy as sa

from rowlift.core.identifiers import email_key
from rowlift.workspace.identifiers import CHUNK
from rowlift.workspace.rows import any_of, fetch, run, run_rows
from rowlift.workspace.tables import suppression_keys, suppressions

KINDS = ("id", "email", "anonymous_id")
HASHES = pa.schema([("quick", pa.string()), ("hash", pa.string())])

# Asked for with each batch that leaves, so it is built once.
_REVISION = sa.select(suppression_keys.c.revision).where(
    suppression_keys.c.workspace_id == sa.bindparam("workspace")
)

_IDENTIFIERS = {
    "SELECT pid, id, email FROM people WHERE workspace_id = :workspace AND ": ("id", "email"),
    "SELECT pid, anonymous_id FROM anonymous_ids WHERE workspace_id = :workspace AND ": (
        "anonymous_id",
    ),
}


@dataclass(frozen=True, slots=True)
class Suppression:
    """One suppressed identifier; since is Unix seconds."""

    number: int
    kind: str
    hash: str
    since: float
    note: str


def identifier(kind: str, value: str) -> str:
    """Return an identifier as it is hashed."""
    return f"{kind}:{email_key(value) if kind == 'email' else value}"


def hashed(key: bytes, text: str) -> str:
    """Return the hash of an identifier in hexadecimal."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def salt(key: bytes) -> str:
    """Return what an identifier is preceded by in its quick hash."""
    return key[:8].hex()


def quick(key: bytes, text: str) -> int:
    """Return the quick hash of an identifier."""
    digest = hashlib.md5((salt(key) + text).encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little")


def key_of(connection: sa.Connection, workspace_id: int) -> bytes | None:
    """Return the workspace's key, or None as long as nobody was ever suppressed."""
    query = sa.select(suppression_keys.c.key).where(suppression_keys.c.workspace_id == workspace_id)
    found = connection.scalar(query)
    return bytes.fromhex(found) if found else None


def roots(
    connection: sa.Connection, workspace_id: int, named: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the hash of what each identifier is suppressed for; `named` has that as text."""
    key = key_of(connection, workspace_id) or _make_key(connection, workspace_id)
    return {text: hashed(key, root) for text, root in named.items() if root != text}


def add(
    connection: sa.Connection,
    workspace_id: int,
    texts: Iterable[str],
    note: str,
    roots: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Suppress identifiers and return how many were not suppressed before.

    `roots` has the hash of the identifier that one was suppressed for: they are lifted together.
    """
    key = key_of(connection, workspace_id) or _make_key(connection, workspace_id)
    wanted = {hashed(key, text): text for text in texts}
    for one in _found(connection, workspace_id, list(wanted)):
        del wanted[one]
    rows = [
        {
            "workspace_id": workspace_id,
            "hash": digest,
            "quick": f"{quick(key, text):016x}",
            "kind": text.partition(":")[0],
            "since": time.time(),
            "note": note,
            "root": roots.get(text, ""),
        }
        for digest, text in wanted.items()
    ]
    if rows:
        connection.execute(suppressions.insert(), rows)
        _count(connection, workspace_id)
    return len(rows)


def remove(connection: sa.Connection, workspace_id: int, texts: Iterable[str]) -> int:
    """Lift the suppression of identifiers, and of those suppressed for them; return how many."""
    key = key_of(connection, workspace_id)
    if key is None:
        return 0
    hashes = [hashed(key, text) for text in texts]
    removed = sum(
        run(connection, sql, workspace=workspace_id, chunk=chunk)
        for column in ("hash", "root")
        for sql, chunk in _chunks(connection, "DELETE", hashes, column)
    )
    if removed:
        _count(connection, workspace_id)
    return removed


def names_any(connection: sa.Connection, workspace_id: int, texts: Iterable[str]) -> bool:
    """Tell whether one of some identifiers is suppressed."""
    key = key_of(connection, workspace_id)
    return key is not None and bool(
        _found(connection, workspace_id, [hashed(key, text) for text in texts])
    )


def since(connection: sa.Connection, workspace_id: int, texts: Iterable[str]) -> float | None:
    """Return since when one of some identifiers is suppressed (Unix seconds), None for none."""
    key = key_of(connection, workspace_id)
    if key is None:
        return None
    hashes = [hashed(key, text) for text in texts]
    found = [
        float(at)
        for sql, chunk in _chunks(connection, "SELECT since", hashes)
        for (at,) in run_rows(connection, sql, workspace=workspace_id, chunk=chunk)
    ]
    return min(found, default=None)


def finder(connection: sa.Connection, workspace_id: int) -> Callable[[Iterable[str]], bool]:
    """Return what tells of many people, by their identifiers, whether they are suppressed now."""
    key = key_of(connection, workspace_id) or b""
    known: dict[int, set[str]] = {}
    for batch in hashes(connection, workspace_id):
        for row in batch.to_pylist():
            known.setdefault(int(row["quick"], 16), set()).add(row["hash"])

    def is_suppressed(text: str) -> bool:
        digests = known.get(quick(key, text))
        return digests is not None and hashed(key, text) in digests

    return lambda texts: bool(known) and any(map(is_suppressed, texts))


def hidden(connection: sa.Connection, workspace_id: int, pids: Sequence[int]) -> frozenset[int]:
    """Return which people are suppressed, by any of their identifiers."""
    if key_of(connection, workspace_id) is None:
        return frozenset()
    known: dict[int, list[str]] = {}
    of = any_of(connection, "pid", "pids")
    for sql, kinds in _IDENTIFIERS.items():
        for pid, *values in run_rows(connection, sql + of, workspace=workspace_id, pids=list(pids)):
            texts = known.setdefault(pid, [])
            texts += [
                identifier(kind, value) for kind, value in zip(kinds, values, strict=True) if value
            ]
    is_suppressed = finder(connection, workspace_id)
    return frozenset(pid for pid, texts in known.items() if is_suppressed(texts))


def listed(
    connection: sa.Connection, workspace_id: int, limit: int, before: int | None = None
) -> list[Suppression]:
    """Return suppressions, the newest first, from the one before a number."""
    query = sa.select(suppressions).where(suppressions.c.workspace_id == workspace_id)
    if before is not None:
        query = query.where(suppressions.c.number < before)
    rows = connection.execute(query.order_by(suppressions.c.number.desc()).limit(limit))
    return [Suppression(row.number, row.kind, row.hash, row.since, row.note) for row in rows]


def hashes(connection: sa.Connection, workspace_id: int) -> Iterator[pa.RecordBatch]:
    """Stream the quick hash, in hexadecimal, and the whole hash of every suppressed identifier."""
    sql = "SELECT quick, hash FROM suppressions WHERE workspace_id = :workspace"
    return fetch(connection, sql, {"workspace": workspace_id}, HASHES)


def revision(connection: sa.Connection, workspace_id: int) -> int:
    """Return a number that rises whenever somebody is suppressed or no longer is."""
    return int(connection.scalar(_REVISION, {"workspace": workspace_id}) or 0)


def _make_key(connection: sa.Connection, workspace_id: int) -> bytes:
    key = secrets.token_bytes(32)
    row = {"workspace_id": workspace_id, "key": key.hex(), "revision": 0}
    connection.execute(suppression_keys.insert().values(row))
    return key


def _count(connection: sa.Connection, workspace_id: int) -> None:
    mine = suppression_keys.c.workspace_id == workspace_id
    more = suppression_keys.c.revision + 1
    connection.execute(suppression_keys.update().where(mine).values(revision=more))


def _found(connection: sa.Connection, workspace_id: int, wanted: list[str]) -> list[str]:
    return [
        one
        for sql, chunk in _chunks(connection, "SELECT hash", wanted)
        for (one,) in run_rows(connection, sql, workspace=workspace_id, chunk=chunk)
    ]


def _chunks(
    connection: sa.Connection, what: str, hashes: list[str], column: str = "hash"
) -> Iterator[tuple[str, list[str]]]:
    chosen = any_of(connection, column, "chunk")
    sql = f"{what} FROM suppressions WHERE workspace_id = :workspace AND {chosen}"
    for start in range(0, len(hashes), CHUNK):
        yield sql, hashes[start : start + CHUNK]
