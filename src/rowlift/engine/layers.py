"""Images and ledgers as a base file and delta files: open them, add to them, compact them."""

from dataclasses import dataclass

from rowlift.engine.duck import Duck
from rowlift.engine.ledger import load_ledger, write_ledger
from rowlift.engine.merge import COMPACT_SHARE, load_image, write_base, write_delta
from rowlift.state.files import Owner, StoredFile
from rowlift.state.store import Store


@dataclass(frozen=True, slots=True)
class Layers:
    """The live files of one image or ledger; history keeps image deltas beyond their base."""

    base: StoredFile | None
    deltas: tuple[StoredFile, ...]

    def must_compact(self, added: int) -> bool:
        """Tell whether reading would cost too much with that many more rows in deltas."""
        if self.base is None:
            return True
        return added + sum(one.rows for one in self.deltas) > COMPACT_SHARE * self.base.rows


@dataclass(frozen=True, slots=True)
class Added:
    """New files, and those they replace, for one pointer commit."""

    stored: tuple[StoredFile, ...] = ()
    replaced: tuple[StoredFile, ...] = ()


def layers(store: Store, noun: str, sync_uid: str, target: str = "") -> Layers:
    """Return the live layers of an `image` or a `ledger`."""
    base = store.files.live([f"{noun}_base"], sync_uid, target)
    deltas = store.files.live([f"{noun}_delta"], sync_uid, target)
    return Layers(base[0] if base else None, tuple(deltas))


def open_image(duck: Duck, store: Store, sync_uid: str) -> Layers:
    """Create the view `image`."""
    found = layers(store, "image", sync_uid)
    load_image(duck, found.base.path if found.base else None, [one.path for one in found.deltas])
    return found


def open_ledger(duck: Duck, store: Store, sync_uid: str, target: str) -> Layers:
    """Create the view `ledger`."""
    found = layers(store, "ledger", sync_uid, target)
    load_ledger(duck, found.base.path if found.base else None, [one.path for one in found.deltas])
    return found


def add_to_image(duck: Duck, store: Store, owner: Owner, found: Layers, *, revision: int) -> Added:
    """Write the changed rows, as the first base or as a delta, compacting when it is time."""
    first = found.base is None
    if not first and not duck.count("changed_keys"):
        return Added()
    kind = "image_base" if first else "image_delta"
    delta = store.files.write(
        kind, owner, lambda path: write_delta(duck, path, revision=revision, first=first)
    )
    if first or not found.must_compact(delta.rows):
        return Added((delta,))
    return _compacted(duck, store, owner, found, delta)


def _compacted(duck: Duck, store: Store, owner: Owner, found: Layers, delta: StoredFile) -> Added:
    old = found.base.path if found.base else None
    load_image(duck, old, [*(one.path for one in found.deltas), delta.path])
    base = store.files.write("image_base", owner, lambda path: write_base(duck, path))
    replaced = tuple(one for one in (found.base, *found.deltas) if one)
    return Added((base, delta), (*replaced, delta))


def add_to_ledger(duck: Duck, store: Store, owner: Owner, found: Layers, rows: str) -> Added:
    """Write settled rows to the ledger whose view is open."""
    count = duck.count(rows)
    if not count:
        return Added()
    whole = found.must_compact(count)
    stored = store.files.write(
        "ledger_base" if whole else "ledger_delta",
        owner,
        lambda path: write_ledger(duck, path, rows, whole=whole),
    )
    replaced = tuple(one for one in (found.base, *found.deltas) if one) if whole else ()
    return Added((stored,), replaced)
