"""Foresee: what a run and its deliveries would do, by the same code, with nothing committed."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from rowlift.core.nouns import Column, Feed, Finding
from rowlift.core.ports import Destination
from rowlift.core.progress import Progress
from rowlift.core.specs import UseSpec
from rowlift.engine import apply
from rowlift.engine.compare import Result, compare, trait_columns
from rowlift.engine.delivery import feed_of
from rowlift.engine.duck import Duck, parquet
from rowlift.engine.layers import load_image_with, open_image, open_ledger
from rowlift.engine.ledger import Target, find_due, load_ledger, mapping_of
from rowlift.engine.merge import write_delta, write_first
from rowlift.engine.parts import RELATIONSHIPS, Part
from rowlift.engine.plan import write_plan
from rowlift.engine.populate import DUE, TARGET, Standing, find_workspace_due, standing
from rowlift.engine.spread import find_named
from rowlift.engine.suppress import op_for, watch
from rowlift.engine.undo import as_left, no_counts, samples, undo_part, write_restored
from rowlift.state.runs import Run
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
    """What looking ahead needs: the state, and how to open the destinations."""

    workspace: Workspace
    store: Store
    sync_uid: str
    dialect: str
    destination_uids: Mapping[str, str]  # name → uid
    relate: frozenset[str]  # names of destinations that take relationships
    destination: OpenDestination
    timestamp: str
    progress: Progress
    first_rows: int | None = None  # of the query, where only these are tried
    learned: set[str] = field(default_factory=set)  # whom the run would suppress beside others

    def look(self, duck: Duck, parts: Sequence[Part], folder: Path) -> Foreseen:
        """Compare the staged results in a folder; leaves their changes there. Raises GuardStop."""
        return _whole(parts, [self._look(duck, part, folder) for part in parts])

    def look_back(self, duck: Duck, parts: Sequence[Part], run: Run, folder: Path) -> Foreseen:
        """Foresee the undo of a run; a part that it does not change has no counts.

        Leaves the changes in the folder. Raises what `undo_part` does.
        """
        return _whole(parts, [self._look_back(duck, part, run, folder) for part in parts])

    def _look(self, duck: Duck, part: Part, folder: Path) -> Foreseen:
        compared = compare(
            duck, self.store, part.uid, part.spec,
            Result(
                folder / staged_name(part.name), self.dialect, time.time(),
                is_partial=bool(self.first_rows),
            ),
            allow_removals=True,
        )  # fmt: skip
        changes = folder / _named(part.name, "changes")
        if compared.found.base:
            write_delta(duck, changes, revision=compared.revision)
        else:
            write_first(duck, changes, compared.judged)
        load_image_with(duck, compared.found, changes, compared.rewritten)
        targets = dict(self._targets(duck, part, compared.columns, folder))
        return Foreseen(compared.counts, targets, _samples(duck, changes), compared.warnings)

    def _look_back(self, duck: Duck, part: Part, run: Run, folder: Path) -> Foreseen:
        undone = undo_part(duck, self.store, part, run, time.time())
        if undone is None:
            return self._look_on(duck, part, folder)
        changes = folder / _named(part.name, "changes")
        write_restored(duck, changes, revision=undone.revision)
        found = samples(duck, undone)
        left = as_left(duck, f"FROM {parquet([changes])}")
        load_image_with(duck, undone.found, changes, None)
        targets = dict(self._targets(duck, part, undone.image.columns, folder, left))
        return Foreseen(undone.counts, targets, found, ())

    def _look_on(self, duck: Duck, part: Part, folder: Path) -> Foreseen:
        """Foresee what is due of a part that stays as it is."""
        image = self.store.images.image(part.uid)
        if image is None:
            return Foreseen({}, {}, (), ())
        open_image(duck, self.store, part.uid)
        return Foreseen(
            no_counts(image), dict(self._targets(duck, part, image.columns, folder)), (), ()
        )

    def _targets(
        self, duck: Duck, part: Part, columns: Sequence[Column], folder: Path, undone: str = ""
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        if part.spec.workspace:
            yield TARGET, self._workspace(duck, part, undone)
        for use in part.spec.destinations:
            if part.name != RELATIONSHIPS or use.use in self.relate:
                yield use.use, self._destination(duck, part, use, columns, folder)

    def _workspace(self, duck: Duck, part: Part, undone: str) -> Mapping[str, Any]:
        open_ledger(duck, self.store, part.uid, TARGET)
        before = standing(self.store, self.workspace.id, part)
        self._find_due(duck, part, before)
        writer = Writer(self.sync_uid, 0, 0)
        ahead = part.name == RELATIONSHIPS
        due = replace(DUE, undone=undone)
        apply.decide(duck, self.workspace, part.spec, due, writer, ahead=ahead)
        counts = apply.counts(duck)
        apply.look_ahead(duck, part.spec.kind)
        return counts

    def _find_due(self, duck: Duck, part: Part, before: Standing) -> None:
        """Find what is due once all is learned that the run would learn."""
        look = find_workspace_due(duck, before, part.spec, self.store.database, self.learned)
        while named := find_named(duck, self.workspace, part.spec, DUE.suppressed).roots.keys():
            look.again(named)
            self.learned.update(named)

    def _destination(
        self, duck: Duck, part: Part, use: UseSpec, columns: Sequence[Column], folder: Path
    ) -> Mapping[str, Any]:
        spec = part.spec
        mapping = mapping_of(use, [one.name for one in columns])
        uid = self.destination_uids[use.use]
        ledger = self.store.images.ledger(part.uid, uid, self.workspace.id)
        if mapping.is_for_same_keys(ledger.mapping):
            open_ledger(duck, self.store, part.uid, uid)
        else:
            load_ledger(duck, None, ())
        changed = bool(ledger.mapping) and ledger.mapping != mapping.to_json()
        epoch = ledger.epoch + (1 if changed else 0)
        feed = feed_of(spec, use, self.sync_uid, trait_columns(columns, spec))
        path = folder / "encoded.parquet"
        with self.destination(use.use, feed) as destination:
            hides = watch(duck, self.store.database, self.workspace.id, self.learned)
            suppression = op_for(destination) if hides else None
            target = Target(
                mapping, spec.kind, spec.identify_by, epoch,
                restored=ledger.restored, suppression=suppression,
            )  # fmt: skip
            find_due(duck, target)
            cut = write_plan(
                duck, path, destination, timestamp=self.timestamp,
                record_bytes=spec.limits.record_bytes, progress=self.progress, task=spec.name,
            )  # fmt: skip
        ops = dict(duck.rows("SELECT op, count(*) FROM due WHERE is_due GROUP BY op"))
        path.unlink()
        return ops | {
            "due": cut.due, "unchanged": cut.rolled, "requests": cut.batches, "bytes": cut.bytes,
            "rejected": cut.too_large, "suppressed": cut.suppressed,
        }  # fmt: skip


def _whole(parts: Sequence[Part], each: Sequence[Foreseen]) -> Foreseen:
    own, *others = each
    counts, targets = dict(own.counts), dict(own.targets)
    for part, one in zip(parts[1:], others, strict=True):
        counts[part.name] = one.counts
        targets |= {f"{target} {part.name}": told for target, told in one.targets.items()}
    found = tuple(sample for one in each for sample in one.samples)
    warnings = tuple(warning for one in each for warning in one.warnings)
    return Foreseen(counts, targets, found, warnings)


def staged_name(part: str) -> str:
    """Return the name of the file of a part's staged rows."""
    return _named(part, "staged")


def _named(part: str, what: str) -> str:
    return f"{part}-{what}.parquet" if part else f"{what}.parquet"


_SAMPLED = """
WITH changed AS (
    SELECT key, CASE WHEN NOT present THEN 'removed' WHEN before IS NULL THEN 'added'
        ELSE 'changed' END AS change, before, attributes, row_number
    FROM read_parquet(?)
)
SELECT key, change, before, attributes FROM changed
QUALIFY row_number() OVER (PARTITION BY change ORDER BY row_number, key) <= ?
ORDER BY row_number, key
"""


def _samples(duck: Duck, changes: Path) -> tuple[Mapping[str, Any], ...]:
    """Return some rows of each kind of change."""
    names = ("key", "change", "before", "after")
    rows = duck.rows(_SAMPLED, [str(changes), SAMPLES])
    return tuple(dict(zip(names, row, strict=True)) for row in rows)
