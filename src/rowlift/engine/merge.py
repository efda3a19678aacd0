"""Merge: this run's valid rows against the image, as set operations over keys and fingerprints.

A version is the image revision at which a row last changed. Values are fetched only for rows that
changed. Removals are inferred from full results alone, and never for a key whose row was rejected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from rowlift.core import faults
from rowlift.core.errors import GuardStop
from rowlift.core.specs import GuardSpec, Threshold
from rowlift.engine.duck import Duck, parquet

COMPACT_SHARE = 0.2
LEAST_REMOVALS = 100

IMAGE_COLUMNS = "key, version, present, fp, raw, attributes, row_number"

_EMPTY = """
CREATE OR REPLACE TEMP VIEW image AS SELECT
    ''::VARCHAR AS key, 0::BIGINT AS version, false AS present, 0::UBIGINT AS fp,
    0::UBIGINT AS raw, ''::VARCHAR AS attributes, 0::BIGINT AS row_number WHERE false
"""

# With NOT EXISTS DuckDB gathers all keys of the larger side before it joins them.
_LAYERED = """
CREATE OR REPLACE TEMP VIEW image AS
SELECT {columns} FROM {base} base ANTI JOIN {deltas} newer ON newer.key = base.key
UNION ALL
SELECT {columns} FROM {deltas} deltas {newest}
"""

# Only keys and versions are held to find the newest row of each key.
_NEWEST = """
SEMI JOIN (SELECT key, max(version) AS version FROM {deltas} GROUP BY key) newest
    USING (key, version)
"""

_CHANGED_KEYS = """
CREATE OR REPLACE TEMP TABLE changed_keys AS
SELECT v.key AS key, v.row_number AS row_number,
    CASE WHEN i.key IS NULL THEN 'added' WHEN NOT i.present THEN 'returned' ELSE 'changed' END
        AS change
FROM valid v LEFT JOIN image i ON i.key = v.key
WHERE i.key IS NULL OR NOT i.present OR i.fp <> v.fp
"""

# A key that arrived is not gone, whether its row was good or not.
_REMOVED_KEYS = """
INSERT INTO changed_keys
SELECT key, NULL, 'removed' FROM image
ANTI JOIN (SELECT hashed_key FROM arrived WHERE NOT no_key) came ON hashed_key = hash(image.key)
WHERE present AND {within}
"""

_DELTA = """
SELECT c.key AS key, {revision}::BIGINT AS version, c.change <> 'removed' AS present,
    coalesce(v.fp, i.fp) AS fp, coalesce(v.raw, i.raw) AS raw,
    coalesce(v.attributes, i.attributes) AS attributes,
    CASE WHEN c.change <> 'added' THEN i.attributes END AS before, c.row_number AS row_number,
    c.change IN ('changed', 'removed') AS had
FROM changed_keys c
LEFT JOIN valid v ON v.key = c.key
LEFT JOIN image i ON i.key = c.key
"""

_IN_ORDER = " ORDER BY c.row_number"

_BASE = "SELECT {columns}, NULL::VARCHAR AS before FROM image"

_REFRESHED = """
SELECT i.* REPLACE (coalesce(v.raw, i.raw) AS raw) FROM image i LEFT JOIN valid v ON v.key = i.key
"""


@dataclass(frozen=True, slots=True)
class Merged:
    """How many rows a merge found in each case; `present` is what the image holds afterwards."""

    added: int
    changed: int
    returned: int
    removed: int
    unchanged: int
    present: int

    @property
    def moved(self) -> int:
        """Return how many rows of the image changed."""
        return self.merged + self.removed

    @property
    def merged(self) -> int:
        """Return how many rows of the result went into the image."""
        return self.added + self.changed + self.returned


def load_image(duck: Duck, base: Path | None, deltas: Sequence[Path]) -> None:
    """Create the view `image` with the current row of each key."""
    if base is None:
        duck.run(_EMPTY)
    elif deltas:
        parts = {"base": parquet([base]), "deltas": parquet(deltas)}
        newest = _NEWEST.format(**parts) if len(deltas) > 1 else ""
        duck.run(_LAYERED.format(columns=IMAGE_COLUMNS, newest=newest, **parts))
    else:
        duck.run(
            f"CREATE OR REPLACE TEMP VIEW image AS SELECT {IMAGE_COLUMNS} FROM {parquet([base])}"
        )


def find_changes(
    duck: Duck, *, known: int, present: int, full: bool, first: bool, within: str = "TRUE"
) -> Merged:
    """Compare the relation `valid` with the view `image`; leaves the table `changed_keys`.

    `known` rows arrived as they stand in the image, which holds `present` rows. A full result is
    all there is of the rows that the condition `within` is true for.
    """
    valid = duck.count("valid")
    if first:
        return Merged(valid, 0, 0, 0, 0, valid)
    duck.run(_CHANGED_KEYS)
    found = dict(duck.rows("SELECT change, count(*) FROM changed_keys GROUP BY change"))
    added, changed = found.get("added", 0), found.get("changed", 0)
    returned, removed = found.get("returned", 0), 0
    unchanged = known + valid - added - changed - returned
    if full and unchanged + changed < present:
        duck.run(_REMOVED_KEYS.format(within=within))
        removed = duck.count("changed_keys WHERE change = 'removed'")
    return Merged(
        added, changed, returned, removed, unchanged,
        present=present + added + returned - removed,
    )  # fmt: skip


def write_delta(duck: Duck, path: Path, *, revision: int) -> int:
    """Write the rows that changed, each with what it replaced."""
    values = 2 * duck.count("changed_keys")  # as they are and as they were
    few = duck.has_room_to_sort(values)
    return duck.write(_DELTA.format(revision=revision) + (_IN_ORDER if few else ""), path)


def write_first(duck: Duck, path: Path, judged: Path) -> int:
    """Make the judged rows the first image; where all of them are good, the file as it stands."""
    rows = duck.count("valid")
    if rows < pq.read_metadata(judged).num_rows:
        return duck.write("SELECT * FROM valid", path)
    faults.point("image.before_link")
    path.hardlink_to(judged)
    return rows


def write_base(duck: Duck, path: Path) -> int:
    """Write every current row as a new base."""
    return duck.write(_BASE.format(columns=IMAGE_COLUMNS), path)


def refresh(duck: Duck) -> Path:
    """Replace the view `image` by one with the raws of this run; return its scratch file."""
    path = duck.scratch_file("image")
    duck.write(_REFRESHED, path)
    load_image(duck, path, [])
    return path


def guard_removals(merged: Merged, *, before: int, read: int, guards: GuardSpec) -> None:
    """Refuse an emptied result and a mass removal, with nothing changed.

    Raises GuardStop EMPTIED or MASS_REMOVAL.
    """
    if guards.removals is None or not merged.removed:
        return
    if read == 0:
        raise GuardStop(
            "EMPTIED",
            f"The query returned no rows; {before:,} rows would be removed.",
            mend="Check the query; if it is right: rowlift run NAME --allow-removals.",
        )
    allowed = allowed_removals(guards.removals, before)
    if merged.removed > allowed:
        raise GuardStop(
            "MASS_REMOVAL",
            f"{merged.removed:,} of {before:,} rows would be removed; "
            f"the guard allows {allowed:,}.",
            mend="Look at rowlift plan NAME; if it is right: rowlift run NAME --allow-removals.",
        )


def allowed_removals(threshold: Threshold, before: int) -> int:
    """Return how many rows may go: a share lets at least 100 pass, a number is exact."""
    if threshold.rows is not None:
        return threshold.rows
    return max(LEAST_REMOVALS, int(before * (threshold.percent or 0) / 100))
