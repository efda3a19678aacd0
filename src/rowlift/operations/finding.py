"""Somebody across all runs: what was sent of them, and every row of theirs that did not go."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from rowlift.core.errors import StateError
from rowlift.engine.duck import Duck, parquet, text
from rowlift.engine.populate import REJECTS, TARGET
from rowlift.operations.home import Home, sync_names
from rowlift.operations.records import named
from rowlift.operations.traces import Why
from rowlift.operations.tracing import why
from rowlift.state.files import KeptFile

MOST = 50  # rejections that are told
FILES_AT_ONCE = 100

_LISTED = {"rejects": "source_row", REJECTS: "NULL", "delivery_rejects": "NULL"}
# A file of rejects also holds rows of others: the text is looked for as a whole value of a row.
_ROWS = """
SELECT filename, row_number, identifier, code, reason
FROM {files}
WHERE identifier = {key} OR lower(identifier) = lower({key})
    OR contains(lower({row}::VARCHAR), lower({quoted}))
ORDER BY filename, row_number
LIMIT {most}
"""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that did not go in one run; `at` is when the run began, in Unix seconds.

    An empty target is the rules of the sync; query is `relationships` for its second query.
    """

    run: int
    sync: str
    at: float
    row_number: int | None
    identifier: str | None
    code: str
    reason: str
    target: str
    query: str


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of an identifier; `why` is null where no row of it was ever good."""

    q: str
    why: Why | None
    rejections: Sequence[Rejection]


def find(home: Home, who: str) -> Found:
    """Look for somebody in the workspace, in what was sent, and in every row that did not go.

    Raises ConfigError WHO_AMBIGUOUS.
    """
    try:
        known = why(home, who)
    except StateError:
        known = None
    names = {*named(who).values()}
    if known:
        names |= {name for name in (known.id, known.email, *known.anonymous_ids) if name}
    return Found(who, known, list(islice(_rejections(home, sorted(names)), MOST)))


def _rejections(home: Home, wanted: Sequence[str]) -> Iterator[Rejection]:
    """Yield the rows that did not go, those of the newest runs first."""
    kept = [
        one
        for one in home.store.files.everything(home.workspace_id)
        if one.kind in _LISTED and one.state == "live"
    ]
    newest_first = sorted(kept, key=lambda one: -one.stored.id)
    with Duck(home.store.files.scratch) as duck:
        for start in range(0, len(newest_first), FILES_AT_ONCE):
            yield from _among(home, duck, newest_first[start : start + FILES_AT_ONCE], wanted)


def _among(
    home: Home, duck: Duck, kept: Sequence[KeptFile], wanted: Sequence[str]
) -> Iterator[Rejection]:
    by_path = {str(one.stored.path): one for one in kept}
    found = {
        row
        for kind in _LISTED
        for name in wanted
        for row in _rows(duck, [one for one in kept if one.kind == kind], kind, name)
    }
    for row in sorted(found, key=lambda row: (-by_path[row.path].stored.id, row.number or 0)):
        if told := _told(home, by_path[row.path], row):
            yield told


class _Row(NamedTuple):
    """A row of a file of rejects."""

    path: str
    number: int | None
    identifier: str | None
    code: str
    reason: str


def _rows(duck: Duck, kept: Sequence[KeptFile], kind: str, name: str) -> list[_Row]:
    if not kept:
        return []
    sql = _ROWS.format(
        files=parquet(one.stored.path for one in kept), key=text(name), row=_LISTED[kind],
        quoted=text(json.dumps(name, ensure_ascii=False)), most=MOST,
    )  # fmt: skip
    return [_Row(*one) for one in duck.rows(sql)]


def _told(home: Home, kept: KeptFile, row: _Row) -> Rejection | None:
    owner, store = kept.owner, home.store
    run_id = owner.run_id
    if run_id is None and owner.delivery_id is not None:
        run_id = store.deliveries.get(owner.delivery_id).run_id
    run = store.runs.find(run_id) if run_id else None
    if run is None:
        return None
    uid, _, part = owner.sync_uid.partition(".")
    names = store.definitions.names(home.workspace_id, "destination")
    target = TARGET if kept.kind == REJECTS else names.get(owner.target, "")
    return Rejection(
        run.id, sync_names(home).get(uid, uid), run.created_at, row.number, row.identifier,
        row.code, row.reason, target, part,
    )  # fmt: skip
