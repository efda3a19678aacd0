"""Merge: this run's valid rows against the image, as set operations over keys and fingerprints.

A version is the image revision at which a row last changed. Values are fetched only for rows that
changed. Removals are inferred from full results alone, and never for a key whose row was rejected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rowlift.core.errors import GuardStop
from rowlift.core.specs import GuardSpec, Threshold
from rowlift.engine.duck import Duck, parquet

COMPACT_SHARE = 0.2
LEAST_REMOVALS = 100

_COLUMNS = "key, version, present, fp, attributes"
IMAGE_COLUMNS = f"{_COLUMNS}, row_number"

_EMPTY = """
CREATE OR REPLACE VIEW image AS SELECT
    ''::VARCHAR AS key, 0::BIGINT AS version, false AS present, 0::UBIGINT AS fp,
    ''::VARCHAR AS attributes, 0::BIGINT AS row_number WHERE false
"""

_LAYERED = """
CREATE OR REPLACE VIEW image AS
WITH newest AS (
    SELECT {columns} FROM {deltas}
    QUALIFY row_number() OVER (PARTITION BY key ORDER BY version DESC) = 1
)
SELECT {columns} FROM {base} base
WHERE NOT EXISTS (SELECT 1 FROM newest WHERE newest.key = base.key)
UNION ALL SELECT {columns} FROM newest
"""

_CHANGED_KEYS = """
CREATE OR REPLACE TEMP TABLE changed_keys AS
SELECT coalesce(v.key, i.key) AS key, v.row_number AS row_number,
    CASE WHEN i.key IS NULL THEN 'added' WHEN v.key IS NULL THEN 'removed'
         WHEN NOT i.present THEN 'returned' ELSE 'changed' END AS change
FROM (SELECT key, fp, row_number FROM valid) v
{join} JOIN (SELECT key, fp, present FROM image) i ON i.key = v.key
WHERE (v.key IS NOT NULL AND (i.key IS NULL OR NOT i.present OR i.fp <> v.fp))
   OR (v.key IS NULL AND i.present AND i.key NOT IN (SELECT key FROM held))
"""

_DELTA = """
SELECT c.key AS key, {revision}::BIGINT AS version, c.change <> 'removed' AS present,
    coalesce(v.fp, i.fp) AS fp, coalesce(v.attributes, i.attributes) AS attributes,
    CASE WHEN c.change <> 'added' THEN i.attributes END AS before, c.row_number AS row_number
FROM changed_keys c
LEFT JOIN valid v ON v.key = c.key
LEFT JOIN image i ON i.key = c.key
ORDER BY c.row_number
"""

_FIRST_DELTA = """
SELECT key, {revision}::BIGINT AS version, true AS present, fp, attributes,
    NULL::VARCHAR AS before, row_number FROM valid ORDER BY row_number
"""

_COMPACTED = """
SELECT {columns}, NULL::VARCHAR AS before, row_number FROM image ORDER BY row_number
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
    def merged(self) -> int:
        """Return how many rows of the result went into the image."""
        return self.added + self.changed + self.returned


def load_image(duck: Duck, base: Path | None, deltas: Sequence[Path]) -> None:
    """Create the view `image` with the current row of each key."""
    if base is None:
        duck.run(_EMPTY)
    elif deltas:
        duck.run(
            _LAYERED.format(columns=IMAGE_COLUMNS, base=parquet([base]), deltas=parquet(deltas))
        )
    else:
        duck.run(f"CREATE OR REPLACE VIEW image AS SELECT {IMAGE_COLUMNS} FROM {parquet([base])}")


def find_changes(duck: Duck, *, full: bool, first: bool) -> Merged:
    """Compare the relation `valid` with the view `image`; leaves the table `changed_keys`.

    `held` names the keys whose rows were rejected: they are still in the source.
    """
    if first:
        rows = duck.count("valid")
        return Merged(rows, 0, 0, 0, 0, rows)
    duck.run(_CHANGED_KEYS.format(join="FULL" if full else "LEFT"))
    found = dict(duck.rows("SELECT change, count(*) FROM changed_keys GROUP BY change"))
    valid = duck.count("valid")
    present = duck.count("image WHERE present")
    added, changed = found.get("added", 0), found.get("changed", 0)
    returned, removed = found.get("returned", 0), found.get("removed", 0)
    return Merged(
        added, changed, returned, removed,
        unchanged=valid - added - changed - returned,
        present=present + added + returned - removed,
    )  # fmt: skip


def write_delta(duck: Duck, path: Path, *, revision: int, first: bool) -> int:
    """Write the rows that changed, each with what it replaced."""
    sql = _FIRST_DELTA if first else _DELTA
    return duck.write(sql.format(revision=revision), path)


def write_base(duck: Duck, path: Path) -> int:
    """Write every current row as a new base."""
    return duck.write(_COMPACTED.format(columns=_COLUMNS), path)


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
