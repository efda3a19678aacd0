"""Undo: what a run changed in the image comes back as it was, as a change like any other.

Rows that changed since stay as they are. What the run added leaves as the sync lets rows leave;
where it keeps who leaves, the values go and the row stays. What the run wrote where nothing was is
written as null, so that the workspace and each destination clear it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rowlift.core.errors import ConfigError, GuardStop
from rowlift.core.nouns import Kind, Removed
from rowlift.core.specs import SyncSpec
from rowlift.engine.attributes import joined, split
from rowlift.engine.canon import ENDED, fingerprint
from rowlift.engine.compare import guard_key, next_revision
from rowlift.engine.duck import Duck, parquet, text
from rowlift.engine.layers import Layers, open_image
from rowlift.engine.parts import Part
from rowlift.state.images import Image
from rowlift.state.runs import Run
from rowlift.state.store import Store

DELTA = "image_delta"
SAMPLES = 20
_CHUNK = 20_000

# Rows as the run left them that nobody changed since; `had` says whether the row was there before.
_UNDONE = """
CREATE OR REPLACE TEMP TABLE undone AS
SELECT i.key, i.present, i.attributes, d.had, d.before
FROM image i JOIN ({left}) d ON d.key = i.key WHERE i.version = {revision}
"""
_LEFT = "SELECT key, had, before, attributes FROM {delta}"
_ADDED = """
SELECT key, FALSE AS had, NULL::VARCHAR AS before, attributes FROM image
WHERE version = {revision}
"""

# Where who leaves is cleared or deleted, nothing from before a row was gone counts. Before a reset
# a key may have meant somebody else.
_EARLIER = """
CREATE OR REPLACE TEMP TABLE undone_earlier AS
WITH told AS (
    SELECT * FROM {deltas}
    WHERE version > {forgotten} AND version < {revision} AND key IN (SELECT key FROM undone)
),
gone AS (SELECT key, max(version) AS version FROM told WHERE {voids} AND NOT present GROUP BY key),
texts AS (
    SELECT key, version, 0 AS age, attributes FROM told WHERE present OR NOT {voids}
    UNION ALL SELECT key, version, 1, before FROM told WHERE had OR NOT {voids}
)
SELECT t.key, list(t.attributes ORDER BY t.version DESC, t.age) AS texts
FROM texts t LEFT JOIN gone g ON g.key = t.key
WHERE t.attributes IS NOT NULL AND t.version > coalesce(g.version, 0) GROUP BY t.key
"""
_NOTHING_EARLIER = "CREATE OR REPLACE TEMP TABLE undone_earlier (key VARCHAR, texts VARCHAR[])"

# `attributes` is NULL where more is to be thought of than what was before.
_PLAIN = """
CREATE OR REPLACE TEMP TABLE restored AS
SELECT u.key, u.had OR {stays} AS present, CASE
    WHEN NOT (u.had OR {stays}) THEN u.attributes
    WHEN NOT u.had AND {relates} THEN {ended}
    WHEN u.had AND {relates} AND {ended} IN (u.attributes, u.before) THEN u.before
    WHEN u.had AND e.key IS NULL AND list_has_all(json_keys(u.before), json_keys(u.attributes))
        THEN u.before END AS attributes
FROM undone u LEFT JOIN undone_earlier e ON e.key = u.key
"""
_TO_THINK = """
SELECT u.key, u.attributes, u.before, e.texts, u.had AND NOT u.present
FROM restored r JOIN undone u ON u.key = r.key LEFT JOIN undone_earlier e ON e.key = u.key
WHERE r.attributes IS NULL
"""
_THOUGHT = """
UPDATE restored SET attributes = t.attributes FROM restored_slowly t WHERE t.key = restored.key
"""
_SAME = """
DELETE FROM restored USING undone u WHERE u.key = restored.key AND u.present = restored.present
    AND (u.attributes = restored.attributes OR NOT u.present)
"""

_DELTA = """
SELECT u.key, {revision}::BIGINT AS version, r.present, {fp} AS fp, 0::UBIGINT AS raw,
    r.attributes, u.attributes AS before, NULL::BIGINT AS row_number, u.present AS had
FROM restored r JOIN undone u ON u.key = r.key ORDER BY u.key
"""
_AS_LEFT = """
CREATE OR REPLACE TEMP TABLE undone_as_left AS
SELECT key, CASE WHEN had THEN before ELSE '{{}}' END AS attributes FROM ({rows})
"""
_COUNTS = """
SELECT count(*) FILTER (u.present AND r.present), count(*) FILTER (NOT u.present AND r.present),
    count(*) FILTER (u.present AND NOT r.present)
FROM restored r JOIN undone u ON u.key = r.key
"""
_STAYING = """
SELECT d.key, d.attributes, i.attributes, i.present FROM ({left}) d JOIN image i ON i.key = d.key
WHERE i.version <> {revision} ORDER BY d.key LIMIT {most}
"""
_RESTORED = """
SELECT u.key, CASE WHEN NOT r.present THEN 'removed' WHEN NOT u.present THEN 'returned'
    ELSE 'changed' END AS change, CASE WHEN u.present THEN u.attributes END, r.attributes
FROM restored r JOIN undone u ON u.key = r.key
QUALIFY row_number() OVER (PARTITION BY change ORDER BY u.key) <= {most} ORDER BY change, u.key
"""


@dataclass(frozen=True, slots=True)
class Undone:
    """One part as an undo would leave it; the tables `undone` and `restored` are open.

    `again` says that it was an undo itself.
    """

    image: Image
    found: Layers
    revision: int
    counts: dict[str, Any]
    again: bool
    left: str  # the query of the rows as the run left them
    undone_revision: int

    @property
    def moved(self) -> int:
        """Return how many rows come back."""
        return int(self.counts["changed"] + self.counts["returned"] + self.counts["removed"])


def undo_part(duck: Duck, store: Store, part: Part, run: Run, moment: float) -> Undone | None:
    """Find what comes back of one part of a run; None where the run changed nothing of it.

    `moment` is when the undo began, in Unix seconds. Raises GuardStop KEY_CHANGED, and ConfigError
    UNDO_TOO_OLD where nobody knows any more what was before.
    """
    told = run.counts.get(part.name) if part.name else run.counts
    image = store.images.image(part.uid)
    if image is None or not told or not changed_anything(told):
        return None
    guard_key(image, part.spec)
    deltas = store.files.of_run(DELTA, run.id, part.uid, replaced=True)
    if not is_known(told, [one.path for one in deltas]):
        raise too_old(run)
    found = open_image(duck, store, part.uid)
    duck.make_room(1000)
    own = _revision(duck, run, part, [one.path for one in deltas])
    left = _left([one.path for one in deltas], own)
    duck.run(_UNDONE.format(left=left, revision=own))
    restore(duck, store, part, own, image.forgotten)
    changed, returned, removed = duck.one(_COUNTS)
    stays = max(0, changed_anything(told) - duck.count("undone"))
    counts = _counts(image, int(changed), int(returned), int(removed), stays)
    revision = next_revision(image, moment)
    return Undone(image, found, revision, counts, run.undo_of is not None, left, own)


def too_old(run: Run) -> ConfigError:
    """Return the refusal of a run of which nobody knows any more what was before it."""
    return ConfigError(
        "UNDO_TOO_OLD",
        f"What was before run {run.id} is not kept any more.",
        mend="Mend the source, and run the sync; retention.undo says how long it is kept.",
    )


def changed_anything(told: Mapping[str, Any]) -> int:
    """Return how many rows of the image a run changed, by its counts."""
    return sum(int(told.get(name, 0)) for name in ("added", "changed", "returned", "removed"))


def is_known(told: Mapping[str, Any], deltas: Sequence[Path]) -> bool:
    """Tell whether it is known what was before each row; of rows that are new, nothing was."""
    if deltas:
        return all(map(_tells, deltas))
    return changed_anything(told) == int(told.get("added", 0))


def _tells(delta: Path) -> bool:
    """Tell whether a delta says what was there before; those of earlier releases do not."""
    return "had" in pq.read_schema(delta).names


def _revision(duck: Duck, run: Run, part: Part, deltas: Sequence[Path]) -> int:
    if deltas:
        (revision,) = duck.one(f"SELECT max(version) FROM {parquet(deltas)}")
        return int(revision or 0)
    own = run.image_revision if not part.name else None
    return own or int(run.created_at * 1000)


def _left(deltas: Sequence[Path], revision: int) -> str:
    if deltas:
        return _LEFT.format(delta=parquet(deltas))
    return _ADDED.format(revision=revision)


def restore(duck: Duck, store: Store, part: Part, revision: int, forgotten: int) -> None:
    """Create the table `restored`: what the rows of `undone` become.

    Nothing of revisions up to `forgotten` comes back.
    """
    kept = [one.path for one in store.files.kept(DELTA, part.uid) if _tells(one.path)]
    voids = takes_back(part.spec)
    duck.run(
        _EARLIER.format(deltas=parquet(kept), revision=revision, forgotten=forgotten, voids=voids)
        if kept
        else _NOTHING_EARLIER
    )
    relates = part.spec.kind is Kind.RELATIONSHIP
    told = {"relates": relates, "ended": text(ENDED), "stays": stays_when_undone(part.spec)}
    duck.run(_PLAIN.format(**told))
    keeps = frozenset({"email"} if part.spec.identify_by == "email" else ())
    rows = duck.rows(_TO_THINK)
    texts = [
        (key, before_of(after, before, earlier or (), keeps, whole=was_removed and voids))
        for key, after, before, earlier, was_removed in rows
    ]
    arrays = [pa.array(column, pa.string()) for column in zip(*texts, strict=True)] or [
        pa.array([], pa.string()), pa.array([], pa.string()),
    ]  # fmt: skip
    duck.register("restored_slowly", pa.table(arrays, names=["key", "attributes"]))
    duck.run(_THOUGHT)
    duck.run(_SAME)


def stays_when_undone(spec: SyncSpec) -> bool:
    """Tell whether a row that is new stays, without its values, as the sync keeps who leaves.

    A sync that goes straight to its destinations keeps whom any of them does.
    """
    if spec.workspace:
        return spec.removed is Removed.KEEP
    return any(use.removed is Removed.KEEP for use in spec.destinations)


def takes_back(spec: SyncSpec) -> bool:
    """Tell whether the values of a row that leaves are cleared or deleted somewhere."""
    rules = [spec.removed] if spec.workspace else [use.removed for use in spec.destinations]
    return any(one in (Removed.CLEAR, Removed.DELETE) for one in rules)


def before_of(
    after: str, before: str | None, earlier: Iterable[str], keeps: frozenset[str], *, whole: bool
) -> str:
    """Return a row as it was before `after`, with null for what was nowhere before.

    An attribute that the row before did not have is what `earlier` texts, the newest first, say
    last. Where the `whole` row was taken back, all that they say comes back too.
    """
    was, known = split(before or "{}"), dict[str, str]()
    for one in earlier:
        known = (split(one) if one != ENDED else {}) | known
    new = split(after).keys() - was.keys() - keeps
    back = {name: known.get(name, "null") for name in new}
    return joined((known if whole else {}) | back | was)


def no_counts(image: Image) -> dict[str, Any]:
    """Return the counts of a part of which nothing comes back."""
    return _counts(image, 0, 0, 0, 0)


def _counts(image: Image, changed: int, returned: int, removed: int, stays: int) -> dict[str, Any]:
    """Return counts like those of any run; `stays` rows are not as the undone run left them."""
    return {
        "read": changed + returned, "retried": 0, "unchanged": 0, "added": 0, "changed": changed,
        "returned": returned, "removed": removed, "rejected": 0, "held": 0,
        "present": image.present + returned - removed, "codes": {},
        "stays": stays,
    }  # fmt: skip


def write_restored(duck: Duck, path: Path, *, revision: int) -> int:
    """Write the rows that come back as a delta of the image."""
    return duck.write(_DELTA.format(revision=revision, fp=fingerprint("r.attributes")), path)


def as_left(duck: Duck, rows: str) -> str:
    """Return a relation of what the undone run left of some rows of an undo's delta.

    Of a row that it took out that is nothing.
    """
    duck.run(_AS_LEFT.format(rows=rows))
    return "undone_as_left"


def samples(duck: Duck, undone: Undone) -> tuple[dict[str, Any], ...]:
    """Return some rows of each kind that come back, and some that changed since and stay."""
    names = ("key", "change", "before", "after")
    back = duck.rows(_RESTORED.format(most=SAMPLES))
    stay = duck.rows(
        _STAYING.format(left=undone.left, revision=undone.undone_revision, most=SAMPLES)
    )
    staying = [(key, "stays", was, now if here else None) for key, was, now, here in stay]
    return tuple(dict(zip(names, row, strict=True)) for row in [*back, *staying])


def nothing_left(run: Run) -> GuardStop:
    """Return the refusal of a run of which nothing is as it left it."""
    return GuardStop(
        "NOTHING_LEFT",
        f"Nothing is left to undo of run {run.id}: it changed nothing, all of it changed "
        "since, or its sync was reset.",
        mend=f"See rowlift runs {run.id}.",
    )
