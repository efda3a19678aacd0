"""Attributes as canonical JSON object texts: split, laid over each other, and where they come from.

Exact to the byte: the text of a value is never read and written again.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

_Groups = list[dict[str, Any]]  # of origins: {sync, run, as_of, names}

_decode = json.JSONDecoder().raw_decode


def split(attributes: str) -> dict[str, str]:
    """Return the raw text of each member of a canonical JSON object text."""
    return dict(_members(attributes))


def _members(attributes: str) -> Iterator[tuple[str, str]]:
    at = 1
    while at < len(attributes) - 1:
        member, at = _decode(attributes, at)
        _, end = _decode(attributes, at + 1)
        yield member, attributes[at + 1 : end]
        at = end + 1


def joined(members: dict[str, str]) -> str:
    """Return the canonical JSON object text of raw members."""
    ordered = sorted(members.items(), key=lambda member: member[0].encode())
    return "{" + ",".join(f"{label(name)}:{raw}" for name, raw in ordered) + "}"


def label(member: str) -> str:
    """Return a member's name as it stands in a canonical text."""
    return json.dumps(member, ensure_ascii=False)


def merged(current: str | None, patch: str) -> str:
    """Lay a patch over attributes: it overrides, its nulls remove, the rest stays."""
    both = split(current or "{}") | split(patch)
    return joined({name: raw for name, raw in both.items() if raw != "null"})


def without(attributes: str, members: frozenset[str]) -> str:
    """Return the text without some members."""
    return joined({name: raw for name, raw in split(attributes).items() if name not in members})


def combined(patches: list[str]) -> str:
    """Lay patches one over the other; nulls stay, for what the result is laid over."""
    members: dict[str, str] = {}
    for patch in patches:
        members |= split(patch)
    return joined(members)


class Stored(NamedTuple):
    """Attributes of a record; sync, run and as-of wrote those that `origins` does not name."""

    attributes: str
    origins: str
    sync_uid: str
    run_id: int
    as_of: int


def completed(own: Stored, others: Sequence[Stored]) -> tuple[str, str]:
    """Return attributes and origins with what others have and the record has not, first come."""
    members, groups = split(own.attributes), json.loads(own.origins)
    for other in others:
        new = {name: raw for name, raw in split(other.attributes).items() if name not in members}
        members |= new
        groups += _only(_stored_groups(other), new)
    return joined(members), _told(groups)


def written_by(record: Stored, sync_uid: str) -> dict[str, str]:
    """Return the raw members that a sync wrote last."""
    members = split(record.attributes)
    own = (group["names"] for group in _stored_groups(record) if group["sync"] == sync_uid)
    return {name: members[name] for names in own for name in names}


def taken_back(patch: str, after: str, record: Stored, sync_uid: str) -> str:
    """Return what of a patch takes back `after`: what differs, and no other has written since."""
    stored, mine, left = split(record.attributes), written_by(record, sync_uid), split(after)
    return joined(
        {
            name: raw
            for name, raw in split(patch).items()
            if raw != left.get(name) and (name in mine or name not in stored)
        }
    )


def reduced(own: Stored, lent: Stored, names: Iterable[str]) -> tuple[str, str]:
    """Return attributes and origins without those that are still as they were lent by another."""
    mine, theirs = _writers(own), _writers(lent)
    back = frozenset(name for name in names if name in mine and mine[name] == theirs[name])
    left = mine.keys() - back
    return without(own.attributes, back), _told(_only(json.loads(own.origins), left))


def _writers(record: Stored) -> dict[str, tuple[Any, ...]]:
    return {
        name: (group["sync"], group["run"], group["as_of"])
        for group in _stored_groups(record)
        for name in group["names"]
    }


def _stored_groups(record: Stored) -> _Groups:
    names = split(record.attributes)
    return _groups(names, json.loads(record.origins), record.sync_uid, record.run_id, record.as_of)


def _groups(names: Iterable[str], origins: _Groups, sync: str, run: int, as_of: int) -> _Groups:
    """The origins of all names, with those of the last writer."""
    named = {name for group in origins for name in group["names"]}
    rest = [name for name in names if name not in named]
    return [*origins, {"sync": sync, "run": run, "as_of": as_of, "names": rest}]


def _only(groups: _Groups, names: Collection[str]) -> _Groups:
    return [group | {"names": [one for one in group["names"] if one in names]} for group in groups]


def _told(groups: _Groups) -> str:
    named = [group | {"names": sorted(group["names"])} for group in groups if group["names"]]
    return json.dumps(named, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def after(shape: str, sync_uid: str) -> tuple[str | None, str]:
    """Return the patch that a clear amounts to (None for others), and the origins after a row.

    A shape is [action, names stored, origins stored, [sync, run, as_of] of the last writer, names
    in the row]. A clear removes what `sync_uid` wrote last.
    """
    action, current, origins, writer, names = json.loads(shape)
    groups = _groups(current, origins, *writer)
    if action == "clear":
        names = [name for group in groups if group["sync"] == sync_uid for name in group["names"]]
    told = _told(_only(groups, set(current) - set(names)))
    return (joined(dict.fromkeys(names, "null")) if action == "clear" else None), told
