"""The rows of a run that did not go, streamed from where they are kept."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow.parquet as pq

from rowlift.engine.populate import TARGET
from rowlift.operations.home import Home
from rowlift.state.deliveries import Delivery
from rowlift.state.runs import Run


def rejects(home: Home, run: Run) -> Iterator[Mapping[str, Any]]:
    """Yield row_number, identifier, code, reason and target of each row."""
    for kind, target in (("rejects", ""), ("apply_rejects", TARGET)):
        for stored in home.store.files.of_run(kind, run.id):
            yield from _of_file(stored.path, target)
    names = home.store.definitions.names(home.workspace_id, "destination")
    newest = {one.destination_uid: one for one in home.store.deliveries.of_run(run.id)}
    for delivery in newest.values():
        yield from _of_delivery(home, delivery, names.get(delivery.destination_uid, ""))


def _of_delivery(home: Home, delivery: Delivery, target: str) -> Iterator[Mapping[str, Any]]:
    for stored in home.store.files.of_delivery("delivery_rejects", delivery.id):
        yield from _of_file(stored.path, target)


def _of_file(path: Any, target: str) -> Iterator[Mapping[str, Any]]:
    columns = ["row_number", "identifier", "code", "reason"]
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=columns):
            for row in batch.to_pylist():
                yield {**row, "target": target}
