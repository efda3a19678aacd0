"""Attributes as canonical JSON object texts: split, laid over each other, and where they come from.

Exact to the byte: the text of a value is never read and written again.
"""

import json
from collections.abc import Iterator

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


def after(shape: str, sync_uid: str) -> tuple[str | None, str]:
    """Return the patch that a clear amounts to (None for others), and the origins after a row.

    A shape is [op, names stored, origins stored, [sync, run, as_of] of the last writer, names in
    the row]. A clear removes what `sync_uid` wrote last.
    """
    op, current, origins, (sync, run, as_of), names = json.loads(shape)
    named = {name for group in origins for name in group["names"]}
    last = {"sync": sync, "run": run, "as_of": as_of, "names": sorted(set(current) - named)}
    groups = [*origins, last]
    if op == "clear":
        names = [name for group in groups if group["sync"] == sync_uid for name in group["names"]]
    left = [group | {"names": sorted(set(group["names"]) - set(names))} for group in groups]
    told = json.dumps([group for group in left if group["names"]], ensure_ascii=False,
                      sort_keys=True, separators=(",", ":"))  # fmt: skip
    return (joined(dict.fromkeys(names, "null")) if op == "clear" else None), told
