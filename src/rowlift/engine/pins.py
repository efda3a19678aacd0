"""Pins: values that were undone, and that the source may still have, do not come back.

A pin is a key with what was undone of it: its attributes, or that it was gone. While the source
says just that, the row stays as the undo left it; a pin falls once the source says anything else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from rowlift.engine.canon import fingerprint
from rowlift.engine.duck import Duck, parquet
from rowlift.engine.jsontext import recanonicalised
from rowlift.engine.layers import Added
from rowlift.state.files import PINS, Owner, StoredFile
from rowlift.state.store import Store

NO_PIN = "TRUE"

_COLUMNS = "key, present, attributes, NULL::VARCHAR AS before"
_PINS = "CREATE OR REPLACE TEMP TABLE pins AS SELECT {columns}, {fp} AS fp FROM {files}"
_APART = (
    "DROP VIEW IF EXISTS valid_or_pinned",
    "ALTER VIEW valid RENAME TO valid_or_pinned",
    "CREATE OR REPLACE TEMP VIEW valid AS FROM valid_or_pinned ANTI JOIN pinned USING (key)",
)
_PINNED = """
CREATE OR REPLACE TEMP TABLE pinned AS
SELECT p.key FROM pins p JOIN valid v ON v.key = p.key WHERE p.present AND p.fp = v.fp
"""
_GONE = "(SELECT key FROM pins WHERE NOT present)"
_CAME = "hash(pins.key) IN (SELECT hashed_key FROM arrived WHERE NOT no_key)"

# A row that came and broke a rule says nothing about its pin.
_LASTING = """
CREATE OR REPLACE TEMP TABLE lasting_pins AS
SELECT {columns} FROM pins WHERE CASE
    WHEN NOT present THEN NOT {came}
    WHEN key IN (FROM pinned) THEN TRUE
    WHEN key IN (SELECT key FROM valid_or_pinned) THEN FALSE
    ELSE {came} OR NOT {missing} END
"""
_RENEWED = """
SELECT {columns} FROM {files} AS pins WHERE key NOT IN (SELECT key FROM undone)
"""
_ADDED = "SELECT {columns} FROM undone WHERE key IN (SELECT key FROM restored)"


@dataclass(frozen=True, slots=True)
class Pinning:
    """What pins do to a result: rows that came and are held, rows that are gone and stay.

    `lasting` pins of the `former` files still hold.
    """

    former: tuple[StoredFile, ...] = ()
    rows: int = 0
    gone: int = 0
    lasting: int = 0

    @property
    def staying(self) -> str:
        """Return the condition of the keys that may leave the view `image`."""
        return f"image.key NOT IN {_GONE}" if self.former else NO_PIN


def pin(
    duck: Duck, files: Sequence[StoredFile], *, full: bool, within: str, outdated: bool
) -> Pinning:
    """Take the rows out of the view `valid` that were undone as they came.

    A full result is all there is of the rows that the condition `within` is true for. Leaves the
    table `lasting_pins`; what is `outdated` was written in another canonical form.
    """
    if not files:
        return Pinning()
    paths = [_in_this_form(duck, one.path) if outdated else one.path for one in files]
    duck.run(_PINS.format(columns=_COLUMNS, fp=fingerprint("attributes"), files=parquet(paths)))
    duck.run(_PINNED)
    for one in _APART:
        duck.run(one)
    gone = 0
    if full:
        gone = duck.count(f"(FROM pins WHERE NOT present AND NOT {_CAME} AND {within})")
    missing = f"({within})" if full else "FALSE"
    duck.run(_LASTING.format(columns=_COLUMNS, came=_CAME, missing=missing))
    return Pinning(tuple(files), duck.count("pinned"), gone, duck.count("lasting_pins"))


def _in_this_form(duck: Duck, path: Path) -> Path:
    table = pq.read_table(path)
    at = table.schema.get_field_index("attributes")
    texts = recanonicalised(table.column(at).combine_chunks())
    fresh = duck.scratch_file("pins")
    pq.write_table(table.set_column(at, table.schema.field(at), texts), fresh)
    return fresh


def write_lasting(duck: Duck, store: Store, owner: Owner, pinning: Pinning) -> Added:
    """Write the pins that still hold, unless they are the former ones."""
    if pinning.lasting == sum(one.rows for one in pinning.former):
        return Added()
    if not pinning.lasting:
        return Added((), pinning.former)
    fill = partial(duck.write, "FROM lasting_pins")
    return Added((store.files.write(PINS, owner, fill),), pinning.former)


def write_undone(duck: Duck, store: Store, owner: Owner, *, again: bool) -> Added:
    """Pin what the table `undone` holds; what came from an undo itself is only set free.

    `again` says that the undone run was an undo: the source's value is the one that comes back.
    """
    former = tuple(store.files.live([PINS], owner.sync_uid))
    rows = [] if again else [_ADDED.format(columns=_COLUMNS)]
    if former:
        files = parquet(one.path for one in former)
        rows.append(_RENEWED.format(columns=_COLUMNS, files=files))
    query = " UNION ALL ".join(rows)
    if not query or not duck.count(f"({query})"):
        return Added((), former)
    return Added((store.files.write(PINS, owner, partial(duck.write, query)),), former)
