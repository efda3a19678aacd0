"""Foresee: what a run and its deliveries would do, by the same code, with nothing committed."""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rowlift.core.nouns import Feed, Finding
from rowlift.core.ports import Destination
from rowlift.core.progress import Progress
from rowlift.core.specs import SyncSpec, UseSpec
from rowlift.engine import apply
from rowlift.engine.compare import Compared, Result, compare, trait_columns
from rowlift.engine.delivery import feed_of
from rowlift.engine.duck import Duck
from rowlift.engine.layers import load_image_with, open_ledger
from rowlift.engine.ledger import Mapping as RowMapping
from rowlift.engine.ledger import find_due, load_ledger, mapping_of
from rowlift.engine.merge import write_delta, write_first
from rowlift.engine.plan import write_plan
from rowlift.engine.populate import TARGET
from rowlift.state.images import Ledger
from rowlift.state.store import Store
from rowlift.workspace.workspace import Workspace, Writer

SAMPLES = 20


class OpenDestination(Protocol):
    """Opens a destination by name for a feed."""

    def __call__(self, name: str, feed: Feed) -> AbstractContextManager[Destination]:
        """Return the destination as a context."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Counts of the run and of each target by operation; samples of changed rows; warnings."""

    counts: Mapping[str, Any]
    targets: Mapping[str, Mapping[str, Any]]
    samples: tuple[Mapping[str, Any], ...]
    warnings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Foresight:
    """What looking ahead needs: the state, the sync and how to open its destinations."""

    workspace: Workspace
    store: Store
    sync_uid: str
    spec: SyncSpec
    dialect: str
    destination_uids: Mapping[str, str]  # name → uid
    destination: OpenDestination
    timestamp: str
    progress: Progress

    def look(self, duck: Duck, staged: Path, folder: Path) -> Foreseen:
        """Compare a staged result; leaves changes.parquet in the folder. Raises GuardStop."""
        spec = self.spec
        compared = compare(
            duck, self.store, self.sync_uid, spec, Result(staged, self.dialect, time.time()),
            allow_removals=True,
        )  # fmt: skip
        changes = folder / "changes.parquet"
        if compared.found.base:
            write_delta(duck, changes, revision=compared.revision)
        else:
            write_first(duck, changes, compared.judged)
        load_image_with(duck, compared.found, changes, compared.rewritten)
        targets = dict(self._targets(duck, spec, compared, folder))
        return Foreseen(compared.counts, targets, _samples(duck, changes), compared.warnings)

    def _targets(
        self, duck: Duck, spec: SyncSpec, compared: Compared, folder: Path
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        if spec.workspace:
            yield TARGET, self._workspace(duck, spec)
        for use in spec.destinations:
            yield use.use, self._destination(duck, spec, use, compared, folder)

    def _workspace(self, duck: Duck, spec: SyncSpec) -> Mapping[str, Any]:
        ledger = self._ledger(TARGET)
        open_ledger(duck, self.store, self.sync_uid, TARGET)
        key_trait = "email" if spec.identify_by == "email" else ""
        mapping = RowMapping(spec.identify_by, spec.removed)
        find_due(duck, mapping, epoch=ledger.epoch, salt="", key_trait=key_trait)
        duck.run("CREATE OR REPLACE VIEW workspace_due AS SELECT * FROM due WHERE is_due")
        writer = Writer(self.sync_uid, 0, 0)
        apply.decide(duck, self.workspace, spec, "workspace_due", writer)
        return apply.counts(duck)

    def _destination(
        self, duck: Duck, spec: SyncSpec, use: UseSpec, compared: Compared, folder: Path
    ) -> Mapping[str, Any]:
        columns = [one.name for one in compared.columns]
        mapping = mapping_of(use, columns)
        uid = self.destination_uids[use.use]
        ledger = self._ledger(uid)
        if mapping.is_for_same_keys(ledger.mapping):
            open_ledger(duck, self.store, self.sync_uid, uid)
        else:
            load_ledger(duck, None, ())
        changed = bool(ledger.mapping) and ledger.mapping != mapping.to_json()
        epoch = ledger.epoch + (1 if changed else 0)
        key_trait = "email" if spec.identify_by == "email" else ""
        find_due(duck, mapping, epoch=epoch, salt="", key_trait=key_trait)
        feed = feed_of(spec, use, self.sync_uid, trait_columns(compared.columns, spec))
        path = folder / "encoded.parquet"
        with self.destination(use.use, feed) as destination:
            cut = write_plan(
                duck, path, destination, timestamp=self.timestamp,
                record_bytes=spec.limits.record_bytes, progress=self.progress, task=spec.name,
            )  # fmt: skip
        ops = dict(duck.rows("SELECT op, count(*) FROM due WHERE is_due GROUP BY op"))
        path.unlink()
        return ops | {
            "due": cut.due, "unchanged": cut.rolled, "requests": cut.batches,
            "rejected": cut.too_large,
        }  # fmt: skip

    def _ledger(self, target: str) -> Ledger:
        return self.store.images.ledger(self.sync_uid, target, self.workspace.id)


def _samples(duck: Duck, changes: Path) -> tuple[Mapping[str, Any], ...]:
    names = ("key", "change", "before", "after")
    rows = duck.rows(
        "SELECT key, CASE WHEN NOT present THEN 'removed' WHEN before IS NULL THEN 'added'"
        " ELSE 'changed' END, before, attributes FROM read_parquet(?)"
        " ORDER BY row_number, key LIMIT ?",
        [str(changes), SAMPLES],
    )
    return tuple(dict(zip(names, row, strict=True)) for row in rows)
