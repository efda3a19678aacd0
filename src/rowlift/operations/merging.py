"""Merges of people as every door shows them, and their undoing; times are Unix seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import time
from typing import Any

from rowlift.core.errors import StateError
from rowlift.engine.attributes import Stored, reduced
from rowlift.operations.home import Home, sync_names
from rowlift.state.audiences import ask
from rowlift.workspace import merges
from rowlift.workspace.merges import Merge


@dataclass(frozen=True, slots=True)
class MergeRecord:
    """Somebody known by anonymous ids only, merged into the person with an id or an address.

    `attributes` are those that the known person had not, `relationships` and `segments` count what
    came along. `as_of` is the source's time of the run; `undone_at` is null while it stands.
    """

    number: int
    id: str | None
    email: str | None
    anonymous_ids: Sequence[str]
    attributes: Sequence[str]
    relationships: int
    segments: int
    sync: str
    run: int
    as_of: int
    at: float
    undone_at: float | None = None


def merges_page(home: Home, limit: int, after: int) -> list[MergeRecord]:
    """Return merges, those that were undone too, from the one after a number."""
    names = sync_names(home)
    return [_record(one, names) for one in merges.log(home.workspace, limit, after=after)]


def merges_of(home: Home, pid: int) -> list[MergeRecord]:
    """Return the merges into one person that stand."""
    names = sync_names(home)
    return [_record(one, names) for one in merges.log(home.workspace, None, into=pid)]


def undo_merge(home: Home, number: int) -> MergeRecord:
    """Part two people again; raises StateError NOT_FOUND.

    The stranger comes back as it was, with its anonymous ids and what is left of the rest. The
    known person keeps what syncs have written since.
    """
    now = time()
    with home.store.database.transaction("merge.undo") as connection:
        found = merges.find(connection, home.workspace_id, number)
        if found is None:
            text = f"There is no merge {number} that stands."
            raise StateError("NOT_FOUND", text, mend="See rowlift people merges.")
        merge, known = found
        left = reduced(_stored(known), _stored(merge.stranger), merge.names)
        merges.undo(connection, merge, *left, now)
        ask(connection, home.workspace_id)
    return _record(replace(merge, undone_at=now), sync_names(home))


def _stored(row: Mapping[str, Any]) -> Stored:
    return Stored(*(row[name] for name in Stored._fields))


def _record(merge: Merge, names: Mapping[str, str]) -> MergeRecord:
    return MergeRecord(
        merge.number, merge.id, merge.email, merge.anonymous_ids, merge.names,
        len(merge.moved["relationships"]), len(merge.moved["segment_members"]),
        names.get(merge.sync_uid, merge.sync_uid), merge.run_id, merge.as_of, merge.at,
        merge.undone_at,
    )  # fmt: skip
