"""The rows of a run that did not go, streamed from where they are kept."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from rowlift.engine.duck import Duck
from rowlift.engine.layers import open_image
from rowlift.engine.parts import uids
from rowlift.engine.populate import REJECTS, TARGET
from rowlift.engine.rejected import by_target_sql
from rowlift.kit.arrow import batches
from rowlift.operations.home import Home
from rowlift.operations.reporting import newest_deliveries
from rowlift.state.runs import Run

_COLUMNS = ("row_number", "identifier", "code", "reason")
_ROW = "source_row"
_AT_ONCE = 10_000

COLUMNS = ("row_number", "identifier", "code", "reason", "target", "query")
ROW = "row"  # its values, where they were asked for


@dataclass(frozen=True, slots=True)
class _List:
    """One file of rejected rows: who rejected them, and the part of the sync that they are of."""

    path: Path
    target: str
    part: str
    uid: str


def rejects(home: Home, run: Run, *, rows: bool = False) -> Iterator[Mapping[str, Any]]:
    """Yield row_number, identifier, code, reason, target and query of each row.

    Query is empty for the sync's own rows, `relationships` for those of its second query. With
    `rows` there is also `row`: the values as the source gave them, or, where the workspace or a
    destination rejected it, as they are now; null where they are not kept.
    """
    for one in _lists(home, run):
        for batch in _with_rows(home, one) if rows else batches(one.path, _AT_ONCE, _COLUMNS):
            for found in batch.to_pylist():
                told = {name: found[name] for name in _COLUMNS}
                told |= {"target": one.target, "query": one.part}
                yield told | ({"row": _values(found[_ROW])} if rows else {})


def _lists(home: Home, run: Run) -> Iterator[_List]:
    named = uids(run.sync_uid)
    for part, uid in named.items():
        for kind, target in (("rejects", ""), (REJECTS, TARGET)):
            for stored in home.store.files.of_run(kind, run.id, uid):
                yield _List(stored.path, target, part, uid)
    names = home.store.definitions.names(home.workspace_id, "destination")
    for part, delivery in newest_deliveries(run, home.store.deliveries.of_run(run.id)):
        target = names.get(delivery.destination_uid, "")
        for stored in home.store.files.of_delivery("delivery_rejects", delivery.id):
            yield _List(stored.path, target, part, named[part])


def _with_rows(home: Home, one: _List) -> Iterator[pa.RecordBatch]:
    if not one.target:
        yield from batches(one.path, _AT_ONCE, (*_COLUMNS, _ROW))
        return
    with Duck(home.store.files.scratch) as duck:
        open_image(duck, home.store, one.uid)
        yield from duck.reader(by_target_sql(one.path))


def _values(text: str | None) -> Any:
    return None if text is None else json.loads(text)
