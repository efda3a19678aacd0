"""What the files still tell of one key: each change of its row, and what a target has of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from rowlift.engine.duck import Duck, name, parquet, text
from rowlift.engine.held import HELD
from rowlift.engine.layers import layers, open_ledger
from rowlift.state.files import PINS, StoredFile
from rowlift.state.store import Store

_ID_COLUMNS = frozenset({"id", "user_id"})
_COLUMNS = "version, present, attributes, before, row_number"
_OF_KEY = "SELECT {columns} FROM {files} WHERE key = {key}"
# After a compaction the newest rows stand in the base and in a delta, which alone says what was.
_NEWEST_LAST = "SELECT DISTINCT ON (version) {columns} FROM ({rows}) ORDER BY version, is_base"

_NEWEST_KEYS = """
SELECT key FROM {files} WHERE {condition} GROUP BY key ORDER BY max(version) DESC, key LIMIT {most}
"""
_CHANGED = """
SELECT key, present, attributes, before FROM {files} WHERE before IS NOT NULL ORDER BY key
"""
_REJECTED = """
SELECT row_number, code, reason, {verdict} FROM {files}
WHERE identifier = {key} OR lower(identifier) = {key} LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Edition:
    """A row of the image as one merge left it; `before` is None where that is not known.

    A removal keeps the last attributes and has no row number.
    """

    version: int
    present: bool
    attributes: Mapping[str, Any]
    before: Mapping[str, Any] | None
    row_number: int | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What a target's ledger says of a key; version 0 is never, `revision` wrote it down."""

    version: int
    present: bool
    epoch: int
    doubt: int | None
    revision: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that did not go, and why."""

    row_number: int | None
    code: str
    reason: str
    verdict: str


def editions(duck: Duck, store: Store, uid: str, key: str) -> list[Edition]:
    """Return the editions of a row from the oldest that is kept; none if it was never seen.

    They reach back to the last reset, and as long as replaced files are kept.
    """
    base = [one.path for one in store.files.live(["image_base"], uid)]
    deltas = [one.path for one in store.files.kept("image_delta", uid)]
    columns = (f"{_COLUMNS}, {is_base} AS is_base" for is_base in ("true", "false"))
    found = [
        _OF_KEY.format(columns=each, files=parquet(paths), key=text(key))
        for each, paths in zip(columns, (base, deltas), strict=True)
        if paths
    ]
    if not found:
        return []
    rows = duck.rows(_NEWEST_LAST.format(columns=_COLUMNS, rows=" UNION ALL ".join(found)))
    return [
        Edition(version, present, json.loads(values), json.loads(before) if before else None, row)
        for version, present, values, before, row in rows
    ]


def related_keys(duck: Duck, store: Store, uid: str, condition: str, most: int) -> list[str]:
    """Return the keys of relationships that meet a condition, those changed last first."""
    live = [one.path for one in store.files.live(["image_base", "image_delta"], uid)]
    if not live:
        return []
    query = _NEWEST_KEYS.format(files=parquet(live), condition=condition, most=most)
    return [key for (key,) in duck.rows(query)]


def of_person(key: str) -> str:
    """Return the condition that a relationship is of the person whom its query knows so."""
    return f"ends_with(key, {text(f',{_json(key)}]')})"


def of_object(object_type: str, object_id: str) -> str:
    """Return the condition that a relationship is of an object."""
    return f"starts_with(key, {text(f'[{_json(object_type)},{_json(object_id)},')})"


def _json(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def made_by(store: Store, uid: str) -> dict[int, int]:
    """Return by version the run that made it, as far as files tell that hold no other one."""
    found: dict[int, int] = {}
    for run_id, path in store.files.by_run(["image_base", "image_delta"], uid):
        told = pq.read_metadata(path)
        at = told.schema.names.index("version")
        kept = [told.row_group(one).column(at).statistics for one in range(told.num_row_groups)]
        versions = {one for each in kept if each for one in (each.min, each.max)}
        if len(versions) == 1:
            found.setdefault(versions.pop(), run_id)
    return found


def changes(found: Sequence[Edition]) -> Iterator[tuple[Edition, str, Any, Any]]:
    """Yield each change of an attribute: the edition, the name, before and after.

    The first edition changes everything where nothing of its key is older.
    """
    last: Mapping[str, Any] = {}
    for edition in found:
        before = last if edition.before is None else edition.before
        after = edition.attributes
        for one in sorted({*before, *after}):
            if before.get(one) != after.get(one):
                yield edition, one, before.get(one), after.get(one)
        last = after


def changed_attributes(
    duck: Duck, deltas: Sequence[StoredFile]
) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield each change of an attribute in files of a merge: key, name, before and after.

    Rows that are new are left out: all of them changed.
    """
    if not deltas:
        return
    query = _CHANGED.format(files=parquet(one.path for one in deltas))
    for batch in duck.reader(query):
        for key, present, values, was in zip(*(one.to_pylist() for one in batch), strict=True):
            before, after = json.loads(was), json.loads(values) if present else {}
            for one in sorted({*before, *after}):
                if before.get(one) != after.get(one):
                    yield key, one, before.get(one), after.get(one)


def acknowledged(duck: Duck, store: Store, uid: str, target: str, key: str) -> Acknowledged | None:
    """Return what a target has of a key; None if nothing was ever answered for it."""
    if layers(store, "ledger", uid, target).base is None:
        return None
    open_ledger(duck, store, uid, target)
    found = duck.rows(
        f"SELECT version, present, epoch, doubt, seq FROM ledger WHERE key = {text(key)}"
    )
    return Acknowledged(*found[0]) if found else None


def is_held(duck: Duck, store: Store, uid: str, identify_by: str, key: str) -> bool:
    """Tell whether a row of a key was rejected, and waits to be judged again."""
    wanted = _ID_COLUMNS if identify_by in _ID_COLUMNS else {identify_by}
    for one in store.files.live([HELD], uid):
        for column in wanted & {*pq.read_schema(one.path).names}:
            said = f"trim({name(column)}::VARCHAR)"
            said = f"lower({said})" if identify_by == "email" else said
            if duck.count(f"{parquet([one.path])} WHERE {said} = {text(key)}"):
                return True
    return False


def is_pinned(duck: Duck, store: Store, uid: str, key: str) -> bool:
    """Tell whether a row of a key stays as an undo left it, whatever its source says now."""
    return any(
        duck.count(f"{parquet([one.path])} WHERE key = {text(key)}")
        for one in store.files.live([PINS], uid)
    )


def refused(
    duck: Duck, files: Sequence[StoredFile], key: str, *, verdict: str = "'rejected'"
) -> Refused | None:
    """Return what a file of rejects says of a key; `verdict` is a column or a literal."""
    if not files:
        return None
    paths = parquet(one.path for one in files)
    query = _REJECTED.format(verdict=verdict, files=paths, key=text(key))
    found = duck.rows(query)
    return Refused(*found[0]) if found else None
