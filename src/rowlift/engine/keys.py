"""The key of each staged row: one column, or several joined into one text.

A joined key is a JSON array: `[object_type, object_id]` of an object, and with the person's id or
case-folded address as its third member of a relationship.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Kind
from rowlift.core.specs import SyncSpec
from rowlift.engine import canon, emails
from rowlift.engine.arrivals import with_canonical_json
from rowlift.engine.canon import Staged
from rowlift.engine.columns import OBJECT_TYPE, key_column, key_parts
from rowlift.engine.duck import Duck
from rowlift.engine.duck import text as literal

_JOINED = """
SELECT staged.*, CASE WHEN {lacking} THEN NULL ELSE json_array({members})::VARCHAR END AS joined
FROM {staged} {join}
"""

# What of a relationship's key names its parent.
_PARENTS = {"object": "json_array(key->>0, key->>1)", "person": "(key->>2)"}
_NAMED_PARENTS = """
CREATE OR REPLACE TEMP TABLE parents AS
SELECT DISTINCT {parent} AS parent FROM (SELECT joined AS key FROM {staged})
WHERE key IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Keyed:
    """A staged file and the column that is its key; `parts` are what a joined key is made of."""

    path: Path
    columns: Sequence[Staged]
    key: Staged
    parts: tuple[Staged, ...] = ()

    @property
    def label(self) -> str:
        """Return how people call the key."""
        return " and ".join(one.name for one in self.parts) or self.key.name


def find_key(duck: Duck, staged: Path, columns: Sequence[Staged], spec: SyncSpec) -> Keyed:
    """Return a staged file with its key, a copy where the key must be joined.

    Raises GuardStop NO_IDENTIFIER.
    """
    named = {column.name: column for column in columns}
    parts = tuple(named[name] for name in key_parts(list(named), spec))
    if parts:
        return _joined(duck, staged, columns, parts, spec)
    key = key_column(list(named), spec)
    if key is None or spec.kind is Kind.RELATIONSHIP:
        raise GuardStop("NO_IDENTIFIER", "The result has no identifier column.")
    return Keyed(staged, columns, named[key])


def children(spec: SyncSpec) -> str:
    """Return the condition of the keys that a full result is all there is of.

    With `replace_for` they are those of the parents that the result names.
    """
    if spec.replace_for is None:
        return "TRUE"
    return f"{_PARENTS[spec.replace_for]} IN (SELECT parent FROM parents)"


def _joined(
    duck: Duck, staged: Path, columns: Sequence[Staged], parts: tuple[Staged, ...], spec: SyncSpec
) -> Keyed:
    staged = with_canonical_json(duck, staged, columns)
    relation = canon.staged_sql(staged, columns)
    members = {one.name: canon.key_sql(one) for one in parts}
    join = ""
    for one in parts:
        if one.name == "email":
            odd = emails.look_at(duck, [one], relation)
            members["email"], join = emails.folded_sql(one, odd=odd)
    default = literal(spec.object_type)
    given = f"coalesce({members.pop(OBJECT_TYPE)}, {default})" if OBJECT_TYPE in members else ""
    sql = _JOINED.format(
        lacking=" OR ".join(f"({one}) IS NULL" for one in members.values()),
        members=", ".join([given or default, *members.values()]),
        staged=relation,
        join=join,
    )
    path = duck.scratch_file("keyed")
    duck.write(sql, path)
    key = Staged("__key", "joined", "text", is_text=True)
    keyed = Keyed(path, [*columns, key], key, parts)
    if spec.replace_for:
        whole = canon.staged_sql(path, keyed.columns)
        duck.run(_NAMED_PARENTS.format(parent=_PARENTS[spec.replace_for], staged=whole))
    return keyed
