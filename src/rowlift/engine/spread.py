"""Spread: whoever is suppressed by one identifier is suppressed by all that rows name them by.

An id may be suppressed before anybody knows its owner's address. The first row that names both is
left out, and the address is suppressed from then on, so that nobody is reached by it either. Only
where the rules of identity see one person: an address that belongs to somebody else stays theirs.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa
import sqlalchemy as sa

from rowlift.core.nouns import Kind
from rowlift.core.specs import SyncSpec
from rowlift.engine import apply
from rowlift.engine.duck import Duck
from rowlift.engine.naming import tell, values
from rowlift.state.store import Store
from rowlift.workspace import suppression
from rowlift.workspace.identifiers import ANONYMOUS, anonymous_of
from rowlift.workspace.membership import leave_all
from rowlift.workspace.suppression import identifier
from rowlift.workspace.workspace import Workspace

NOTE = "Named beside a suppressed identifier."

# What suppressed rows name that is not suppressed itself; the root is one of their hashes that is.
_BESIDE = """
CREATE OR REPLACE TEMP TABLE beside AS
WITH hashed AS (
    SELECT key, told, keyed_hash(told) AS hash FROM told
), roots AS (
    SELECT key, min(hash) AS root FROM hashed WHERE hash IN (SELECT hash FROM suppressed)
    GROUP BY key
)
SELECT h.key, h.told, r.root FROM hashed h JOIN roots r USING (key)
WHERE h.hash NOT IN (SELECT hash FROM suppressed)
"""

# Another address than the one that is set is not written, but is of the same person.
_PERSONS = """
CREATE OR REPLACE TEMP TABLE beside_persons AS
SELECT key, target AS pid FROM apply_decided
WHERE code IN ('', 'EMAIL_IMMUTABLE', 'ID_IMMUTABLE') OR (code = 'SKIP'
    AND coalesce(id_owner = target, id_owner IS NULL)
    AND coalesce(email_owner = target, email_owner IS NULL)
    AND coalesce(anonymous_owner = target, anonymous_owner IS NULL))
UNION ALL SELECT key, pid FROM apply_familiar
"""
_TEXTS = """
SELECT told, min(root) FROM beside WHERE key IN (SELECT key FROM beside_persons) GROUP BY told
"""
_PEOPLE = """
SELECT p.pid, p.id, p.email_key, min(b.root) AS root
FROM beside_persons s JOIN beside b ON b.key = s.key JOIN apply_people p ON p.pid = s.pid
GROUP BY ALL
"""


class Fence(Protocol):
    """The right to write, of a run or of somebody else."""

    def hold(self, connection: sa.Connection) -> None:
        """Begin a write transaction; raises Fenced where the right is lost."""


@dataclass(frozen=True, slots=True)
class Learned:
    """By identifier the root of its suppression, and the people of the workspace it is of."""

    roots: Mapping[str, str] = field(default_factory=dict)
    pids: list[int] = field(default_factory=list)


def spread(
    duck: Duck, store: Store, lease: Fence, workspace: Workspace, spec: SyncSpec, rows: str
) -> Collection[str]:
    """Suppress what the relation `rows`, all of suppressed people, names beside; return it.

    `watch` must have been called. Destinations are told as by a suppression by hand. Where the
    return is not empty, the revision of suppressions rose by one.
    """
    learned = find_named(duck, workspace, spec, rows)
    if not learned.roots:
        return ()
    with store.database.transaction("suppress.spread", alone=True) as connection:
        lease.hold(connection)
        added = suppression.add(connection, workspace.id, learned.roots, NOTE, learned.roots)
        if added:
            leave_all(connection, learned.pids)
            store.look_again(connection, workspace.id)
    return learned.roots.keys() if added else ()


def find_named(duck: Duck, workspace: Workspace, spec: SyncSpec, rows: str) -> Learned:
    """Return what the relation `rows`, all of suppressed people, names beside.

    `watch` must have been called.
    """
    if spec.kind is not Kind.PERSON or not duck.count(rows):
        return Learned()
    tell(duck, f"FROM {rows}", values(spec.kind, spec.identify_by))
    duck.run(_BESIDE)
    return _identified(duck, workspace, spec, rows) if duck.count("beside") else Learned()


def _identified(duck: Duck, workspace: Workspace, spec: SyncSpec, rows: str) -> Learned:
    due = f"(FROM {rows} WHERE key IN (SELECT key FROM beside))"
    with workspace.database.read() as connection:
        apply.identify(duck, connection, workspace, spec, due, apply.Asked())
        duck.run(_PERSONS)
        people = duck.rows(_PEOPLE)
        by_pid = {pid: root for pid, _, _, root in people}
        anonymous = pa.Table.from_batches(
            anonymous_of(connection, workspace.id, list(by_pid)), ANONYMOUS
        )
    roots = dict(duck.rows(_TEXTS))
    for _, own, address, root in people:
        single = {"id": own, "email": address}
        roots |= {identifier(kind, value): root for kind, value in single.items() if value}
    for one in anonymous.to_pylist():
        roots[identifier("anonymous_id", one["anonymous_id"])] = by_pid[one["pid"]]
    return Learned(roots, list(by_pid))
