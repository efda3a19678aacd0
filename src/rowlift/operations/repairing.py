"""Repair what a verification found, as a plan: what differs is due again, and goes as usual."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rowlift.core.errors import Busy
from rowlift.core.nouns import Removed
from rowlift.engine.duck import Duck, parquet
from rowlift.engine.layers import add_to_ledger, open_ledger
from rowlift.engine.parts import Part
from rowlift.operations.home import Home
from rowlift.operations.resetting import refuse_begun, refuse_run
from rowlift.state.files import Owner, StoredFile
from rowlift.state.images import WORKSPACE

_DOUBTED = """
CREATE OR REPLACE TEMP TABLE doubted AS
SELECT l.key AS key, l.version AS version, l.present AS present, l.fp AS fp, l.epoch AS epoch,
    l.version AS doubt, {seq}::BIGINT AS seq
FROM ledger l JOIN {found} f ON f.key = l.key AND f.version = l.version AND f.seq = l.seq
WHERE f.kind IN ({kinds}) AND l.doubt IS NULL
"""
_COUNTS = "SELECT count(*) FILTER (WHERE present), count(*) FILTER (WHERE NOT present) FROM doubted"


@dataclass(frozen=True, slots=True)
class RepairedSync:
    """How many records of a sync, or of its second query, are due again, and how many removals."""

    sync: str
    query: str
    records: int
    removals: int


@dataclass(frozen=True, slots=True)
class Repair:
    """What is due again at a destination; nothing was sent."""

    destination: str
    syncs: Sequence[RepairedSync]

    @property
    def due(self) -> int:
        """Return how many records and removals are due again."""
        return sum(one.records + one.removals for one in self.syncs)


@dataclass(frozen=True, slots=True)
class Repairer:
    """Makes due again what differs at one target."""

    home: Home
    target: str
    orphans: bool

    def repair(self, part: Part, stored: StoredFile) -> RepairedSync:
        """Put what differs in doubt, unless it moved since it was found.

        What is in doubt is sent again, under new message ids as the old ones were answered. Raises
        Busy while a run or a delivery to the target goes on.
        """
        home, store = self.home, self.home.store
        refuse_run(home)
        before = store.images.ledger(part.uid, self.target, home.workspace_id)
        with Duck(store.files.scratch, begins_small=True) as duck:
            layers = open_ledger(duck, store, part.uid, self.target)
            seq = before.revision + 1
            found = parquet([stored.path])
            duck.run(_DOUBTED.format(seq=seq, found=found, kinds=self._kinds(part)))
            records, removals = duck.one(_COUNTS)
            owner = Owner(home.workspace_id, part.uid, self.target)
            added = add_to_ledger(duck, store, owner, layers, "doubted", records + removals)
            if added.stored:
                after = replace(before, revision=seq, settled=0, epoch=before.epoch + self._step)
                with store.database.transaction("verify.repair") as connection:
                    refuse_begun(home, connection, [self.target], part.uid)
                    now = store.images.ledger(part.uid, self.target, home.workspace_id)
                    if now != before:
                        raise Busy("BUSY", "The ledger moved meanwhile.", mend="Verify again.")
                    store.files.swap(connection, added.stored, added.replaced)
                    store.images.save_ledger(connection, after)
        return RepairedSync(part.spec.name, part.name, records, removals)

    @property
    def _step(self) -> int:
        """Return by how much the epoch rises; the workspace is written to without message ids."""
        return 0 if self.target == WORKSPACE else 1

    def _kinds(self, part: Part) -> str:
        kinds = "'drifted', 'missing'"
        keeps = self._removed(part) is Removed.KEEP
        return f"{kinds}, 'returned'" if self.orphans and not keeps else kinds

    def _removed(self, part: Part) -> Removed:
        """Return what becomes there of a row that left: one that is kept is not taken back."""
        names = {uid: name for name, uid in self.home.destinations.items()}
        uses = {use.use: use.removed for use in part.spec.destinations}
        return uses.get(names.get(self.target, ""), part.spec.removed)
