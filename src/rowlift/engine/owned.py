"""What a row says of a record of the workspace, where others write beside its sync.

What the sync passes over is no drift: values that it leaves out, and those that it sets only where
there is none.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rowlift.core.identifiers import email_key
from rowlift.core.nouns import Kind
from rowlift.core.specs import SyncSpec
from rowlift.engine.attributes import joined, split
from rowlift.engine.columns import left_out
from rowlift.engine.duck import text
from rowlift.engine.jsontext import canonical_json
from rowlift.engine.ledger import pointer

KNOWN = "known"  # where the record of who wrote it tells the identifiers of its person

_IDENTIFIERS = {  # columns beside the key that name the person; ids of two kinds exclude each other
    "user_id": {"email": "email"},
    "email": {"id": "id", "user_id": "id", "anonymous_id": "anonymous_ids"},
    "anonymous_id": {"email": "email"},
}
_NULLED = "v -> nullif(v::VARCHAR, 'null')"
_IS_SET = "v -> nullif(v::VARCHAR, 'null') IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Owned:
    """The columns that a sync writes into the workspace, by how they are compared.

    `once` are set where there is no value yet. `identifiers` tells which of a person's each column
    is: id, email or anonymous_ids. Where several rows may be of one person, what one of them wrote
    is no drift of another: `shared_by` is the uid of their sync.
    """

    plain: Sequence[str]
    once: Collection[str] = ()
    identifiers: Mapping[str, str] = field(default_factory=dict)
    shared_by: str = ""

    def printed(self, side: str) -> str:
        """Return what is the same where nothing can differ, of `ours` or `theirs`.

        Ours are in the object x, theirs too, but for identifiers, which are in the object w.
        """
        parts = [
            f"list_transform(json_extract(x, {_listed(names)}), {how})"
            for names, how in ((self.plain, _NULLED), (self.once, _IS_SET))
            if names
        ]
        for name, one in self.identifiers.items():
            if one != "anonymous_ids":
                at = ("x", pointer(name)) if side == "ours" else ("w", f"/{KNOWN}/{one}")
                told = f"trim(json_extract_string({at[0]}, {text(at[1])}))"
                parts.append(f"nullif({f'lower({told})' if one == 'email' else told}, '')")
        return f"hash({', '.join(parts)})" if parts else "0"

    def anonymous(self, side: str) -> str:
        """Return the anonymous id of ours, null where none is told, or all that theirs have."""
        name = next((one for one, of in self.identifiers.items() if of == "anonymous_ids"), None)
        if name is None:
            return "NULL::VARCHAR" if side == "ours" else "[]::VARCHAR[]"
        if side == "ours":
            return f"nullif(trim(json_extract_string(x, {text(pointer(name))})), '')"
        return f"json_extract_string(w, '$.{KNOWN}.anonymous_ids[*]')"

    def met(self, ours: str, theirs: str, wrote: str) -> tuple[str, str, str]:
        """Return ours without what says nothing of theirs, theirs with their identifiers, and who.

        Who gave somebody an identifier, or took a value away, is not known.
        """
        mine, there = split(canonical_json(ours) or ours), split(canonical_json(theirs) or theirs)
        said = json.loads(wrote)
        known = said.pop(KNOWN, {})
        for name in self.once:
            if mine.get(name) == "null" or name in there:
                mine.pop(name, None)
        if self.shared_by:
            others = _unless_by(self.shared_by, said, there)
            mine = {name: raw for name, raw in mine.items() if name in others or name not in there}
        for name, which in self.identifiers.items():
            told = _told(mine.pop(name, "null"))
            there.pop(name, None)
            if told:
                mine[name] = json.dumps(told, ensure_ascii=False)
                there[name] = _named(told, which, known)
        nobody = sorted((mine.keys() - there.keys()) | self.identifiers.keys())
        said["origins"] = [{"sync": "", "run": None, "names": nobody}, *said["origins"]]
        names = (*self.plain, *self.once, *self.identifiers)
        return (
            joined({one: mine[one] for one in names if one in mine}),
            joined(there),
            json.dumps(said),
        )


def owned(spec: SyncSpec, uid: str, columns: Sequence[str], kept: Collection[str]) -> Owned:
    """Return how the columns of a sync are compared; those of `kept` were set once till now."""
    known = _IDENTIFIERS.get(spec.identify_by, {}) if spec.kind is Kind.PERSON else {}
    found = {name: which for name, which in known.items() if name in columns}
    aside = {*found, *left_out(columns, spec)}
    if spec.kind is Kind.PERSON and spec.identify_by == "email":
        aside.add("email")  # the key, in another spelling
    once = {name for name, how in spec.attributes.items() if how == "set_if_empty"} | {*kept}
    return Owned(
        [one for one in columns if one not in aside | once],
        sorted(once.intersection(columns) - aside),
        found,
        uid if spec.identify_by == "anonymous_id" else "",
    )


def _unless_by(uid: str, said: Mapping[str, Any], names: Collection[str]) -> set[str]:
    """Return the attributes of a record that another sync wrote last."""
    by = {name: one["sync"] for one in said["origins"] for name in one["names"]}
    return {name for name in names if by.get(name, said["sync"]) != uid}


def _listed(names: Iterable[str]) -> str:
    return "[" + ", ".join(text(pointer(name)) for name in names) + "]"


def _told(raw: str) -> str:
    """Return an identifier as a run takes it from a row; empty for none."""
    value = json.loads(raw)
    return "" if value is None else (value if isinstance(value, str) else raw).strip()


def _named(told: str, which: str, known: Mapping[str, Any]) -> str:
    """Return what the person has instead of an identifier, or the same."""
    theirs = known[which]
    is_same = theirs == told
    if isinstance(theirs, list):
        is_same = told in theirs
        theirs = ", ".join(sorted(theirs)) or None
    elif which == "email" and isinstance(theirs, str):
        is_same = email_key(theirs) == email_key(told)
    return json.dumps(told if is_same else theirs, ensure_ascii=False)
