"""Images and ledgers as a base file and delta files: open them, add to them, compact them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from rowlift.engine.canon import fingerprint
from rowlift.engine.duck import Duck, parquet
from rowlift.engine.jsontext import recanonicalised
from rowlift.engine.ledger import link_settled, load_ledger, write_ledger
from rowlift.engine.merge import (
    COMPACT_SHARE,
    IMAGE_COLUMNS,
    load_image,
    write_base,
    write_delta,
    write_first,
)
from rowlift.state.files import Owner, StoredFile
from rowlift.state.store import Store

_CANON_ROWS = 20_000
_SAMPLED_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Layers:
    """The live files of one image or ledger; history keeps image deltas beyond their base."""

    base: StoredFile | None
    deltas: tuple[StoredFile, ...]

    @property
    def rows(self) -> int:
        """Return how many rows a reader meets, those that others replaced included."""
        return sum(one.rows for one in (*self.deltas, *([self.base] if self.base else ())))

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


def image_width(duck: Duck) -> int:
    """Return the mean width in bytes of rows of the view `image`, by a part of them."""
    part = f"(SELECT attributes FROM image LIMIT {_SAMPLED_ROWS})"
    (width,) = duck.one(f"SELECT coalesce(avg(strlen(attributes)), 0) FROM {part}")
    return int(width)


def open_image(duck: Duck, store: Store, sync_uid: str) -> Layers:
    """Create the view `image`."""
    found = layers(store, "image", sync_uid)
    duck.expect(found.rows)
    load_image(duck, found.base.path if found.base else None, [one.path for one in found.deltas])
    return found


def open_ledger(duck: Duck, store: Store, sync_uid: str, target: str) -> Layers:
    """Create the view `ledger`."""
    found = layers(store, "ledger", sync_uid, target)
    duck.expect(found.rows)
    load_ledger(duck, found.base.path if found.base else None, [one.path for one in found.deltas])
    return found


def recanonicalise(duck: Duck) -> Path:
    """Replace the view `image` by one in this release's canonical form; return its scratch file.

    No version rises, so nothing is sent again because Rowlift was upgraded.
    """
    path = duck.scratch_file("image")
    reader = duck.reader(f"SELECT {IMAGE_COLUMNS} FROM image", _CANON_ROWS)
    with pq.ParquetWriter(path, reader.schema, compression="zstd") as out:
        for batch in reader:
            at = batch.schema.get_field_index("attributes")
            texts = recanonicalised(batch.column(at))
            out.write_batch(batch.set_column(at, batch.schema.field(at), texts))
    fresh = duck.scratch_file("image")
    duck.write(
        f"SELECT * REPLACE ({fingerprint('attributes')} AS fp) FROM {parquet([path])}", fresh
    )
    load_image(duck, fresh, [])
    return fresh


def add_to_image(
    duck: Duck, store: Store, owner: Owner, found: Layers, *, revision: int, judged: Path,
    rewritten: Path | None = None,
) -> Added:  # fmt: skip
    """Write the changed rows, as the first base or as a delta, compacting when it is time.

    `judged` is what becomes the first base, `rewritten` the image in a new form, which then becomes
    the base.
    """
    if found.base is None:
        fill = partial(write_first, duck, judged=judged)
        return Added((store.files.write("image_base", owner, fill),))
    if not rewritten and not duck.count("changed_keys"):
        return Added()
    return add_delta(
        duck, store, owner, found, partial(write_delta, duck, revision=revision), rewritten
    )


def add_delta(
    duck: Duck, store: Store, owner: Owner, found: Layers, fill: Callable[[Path], int],
    rewritten: Path | None = None,
) -> Added:  # fmt: skip
    """Write what `fill` gives as a delta of the image, compacting when it is time."""
    delta = store.files.write("image_delta", owner, fill)
    if found.base is None or not (rewritten or found.must_compact(delta.rows)):
        return Added((delta,))
    load_image_with(duck, found, delta.path, rewritten)
    base = store.files.write("image_base", owner, partial(write_base, duck))
    return Added((base, delta), (found.base, *found.deltas, delta))


def load_image_with(duck: Duck, found: Layers, delta: Path, rewritten: Path | None) -> None:
    """Create the view `image` as it is after a delta."""
    if rewritten:
        load_image(duck, rewritten, [delta])
    elif found.base:
        load_image(duck, found.base.path, [*(one.path for one in found.deltas), delta])
    else:
        load_image(duck, delta, [])


def add_to_ledger(
    duck: Duck,
    store: Store,
    owner: Owner,
    found: Layers,
    rows: str,
    count: int,
    settled: Path | None = None,
) -> Added:
    """Write settled rows, so many of them, to the ledger whose view is open.

    `settled` is a scratch file of just these rows, if there is one.
    """
    if not count:
        return Added()
    whole = found.must_compact(count)
    if settled and not (whole and found.base):
        fill = partial(link_settled, settled=settled, rows=count)
    else:
        fill = partial(write_ledger, duck, settled=rows, whole=whole)
    stored = store.files.write("ledger_base" if whole else "ledger_delta", owner, fill)
    replaced = tuple(one for one in (found.base, *found.deltas) if one) if whole else ()
    return Added((stored,), replaced)
