"""The rows of a run that did not go, streamed from where they are kept."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from rowlift.engine.parts import uids
from rowlift.engine.populate import TARGET
from rowlift.operations.home import Home
from rowlift.operations.reporting import newest_deliveries
from rowlift.state.runs import Run


def rejects(home: Home, run: Run) -> Iterator[Mapping[str, Any]]:
    """Yield row_number, identifier, code, reason, target and query of each row.

    Query is empty for the sync's own rows, `relationships` for those of its second query.
    """
    for part, uid in uids(run.sync_uid).items():
        for kind, target in (("rejects", ""), ("apply_rejects", TARGET)):
            for stored in home.store.files.of_run(kind, run.id, uid):
                yield from _of_file(stored.path, target, part)
    names = home.store.definitions.names(home.workspace_id, "destination")
    for part, delivery in newest_deliveries(home, run):
        target = names.get(delivery.destination_uid, "")
        for stored in home.store.files.of_delivery("delivery_rejects", delivery.id):
            yield from _of_file(stored.path, target, part)


def _of_file(path: Path, target: str, part: str) -> Iterator[Mapping[str, Any]]:
    columns = ["row_number", "identifier", "code", "reason"]
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=columns):
            for row in batch.to_pylist():
                yield {**row, "target": target, "query": part}
