"""Compare: a staged result against the rules and the image, for runs and plans alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rowlift.core.errors import GuardStop, RowliftError
from rowlift.core.nouns import Column, Finding
from rowlift.core.specs import SyncSpec
from rowlift.engine.canon import form
from rowlift.engine.columns import left_out
from rowlift.engine.duck import Duck
from rowlift.engine.held import HELD, Holding, hold, judge_held
from rowlift.engine.keys import children
from rowlift.engine.layers import Layers, open_image, recanonicalise
from rowlift.engine.merge import COMPACT_SHARE, Merged, find_changes, guard_removals, refresh
from rowlift.engine.pins import Pinning, pin
from rowlift.engine.read import row_bytes, row_count, staged_columns
from rowlift.engine.validate import Ahead, Validated, nobody, validate
from rowlift.kit.sqlguard import guard, render, uses_last_sync_time
from rowlift.state.files import PINS
from rowlift.state.images import Image
from rowlift.state.store import Store


@dataclass(frozen=True, slots=True)
class Result:
    """A staged result, the dialect of its query and when its run began, in Unix seconds.

    Of `is_partial` the query has more rows: nothing is inferred from what is missing, and what
    broke a rule comes again.
    """

    staged: Path
    dialect: str
    moment: float
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """Good rows beside the image; the relations `valid`, `rejected` and `changed_keys` are open."""

    image: Image | None
    found: Layers
    columns: tuple[Column, ...]
    counts: dict[str, Any]
    warnings: tuple[Finding, ...]
    revision: int
    judged: Path
    form: str
    holding: Holding
    pinning: Pinning
    rewritten: Path | None = None  # the image in a new form, where it has one


def compare(
    duck: Duck,
    store: Store,
    sync_uid: str,
    spec: SyncSpec,
    result: Result,
    *,
    allow_removals: bool,
    ahead: Ahead = nobody,
) -> Compared:
    """Validate a staged result, find what changed and ask the guards; nothing is written.

    `ahead` hears, before they are judged, of the keys of rows that may have changed. Raises
    GuardStop.
    """
    held = [] if result.is_partial else store.files.live([HELD], sync_uid)
    duck.make_room(max(row_bytes(path) for path in (result.staged, *(one.path for one in held))))
    duck.expect(row_count(result.staged) + sum(one.rows for one in held))
    image = store.images.image(sync_uid)
    guard_key(image, spec)
    limited = result.is_partial or _is_limited(spec, result.dialect)
    full = not uses_last_sync_time(spec.sql) and not limited
    found = open_image(duck, store, sync_uid)
    first = found.base is None
    version = next_revision(image, result.moment)
    again = [] if full else judge_held(duck, held, spec, version)
    checked = validate(
        duck, result.staged, spec, full=full, version=version, first=first, ahead=ahead
    )
    holding = hold(
        duck, spec, result.staged, checked, held, again, is_again=result.is_partial
    )  # fmt: skip
    current = form(duck)
    outdated = image is not None and image.form != current
    whole, within = full or (spec.replace_for is not None and not limited), children(spec)
    pinning = pin(
        duck, store.files.live([PINS], sync_uid), full=whole, within=within, outdated=outdated
    )
    rewritten = recanonicalise(duck) if outdated and not first else None
    present = image.present if image else 0
    merged = find_changes(
        duck, known=checked.known, present=present, first=first,
        within=f"{within} AND {pinning.staying}", full=whole,
    )  # fmt: skip
    if image and not allow_removals:
        guard_removals(merged, before=present, read=checked.read, guards=spec.guards)
    if not rewritten and merged.unchanged - checked.known > COMPACT_SHARE * present:
        rewritten = refresh(duck)
    return Compared(
        image, found, staged_columns(result.staged), _counts(checked, merged, holding, pinning),
        checked.warnings, version if merged.moved or not image else image.revision,
        checked.judged.path, current, holding, pinning, rewritten,
    )  # fmt: skip


def next_revision(image: Image | None, moment: float) -> int:
    """Return the image's revision if a row changed.

    It is the Unix millisecond of the merge, or one more than the last. No two merges start within
    one, so what is merged after a backup was put back never repeats a version, nor a message id;
    with seconds, two runs within one would count ahead of the clock and repeat.
    """
    return max(image.revision + 1 if image else 1, int(moment * 1000))


def trait_columns(columns: Sequence[Column], spec: SyncSpec) -> list[Column]:
    """Return the columns that become traits."""
    kept_back = left_out([one.name for one in columns], spec)
    return [one for one in columns if one.name not in kept_back]


def _is_limited(spec: SyncSpec, dialect: str) -> bool:
    return guard(render(spec.sql, 0, dialect), dialect).has_limit


def guard_key(image: Image | None, spec: SyncSpec) -> None:
    """Refuse an image whose keys are of another identifier; raises GuardStop KEY_CHANGED."""
    if image and image.key_column not in ("", spec.identify_by):
        raise GuardStop(
            "KEY_CHANGED",
            f"{spec.name} identified rows by {image.key_column} until now, "
            f"and by {spec.identify_by} from here on.",
            mend="Put it back, or start over: rowlift state reset NAME.",
        )


def _counts(
    checked: Validated, merged: Merged, holding: Holding, pinning: Pinning
) -> dict[str, Any]:
    counts = {
        "read": checked.read,
        "retried": holding.retried,
        "unchanged": merged.unchanged,
        "added": merged.added,
        "changed": merged.changed,
        "returned": merged.returned,
        "removed": merged.removed,
        "rejected": holding.rejected,
        "held": holding.rows,
        "present": merged.present,
        "codes": dict(holding.codes),
    }
    if pinning.rows or pinning.gone:
        counts |= {"undone": pinning.rows, "undone_gone": pinning.gone}
    judged = merged.unchanged + merged.merged + holding.rejected + pinning.rows
    if checked.read + holding.retried != judged:
        raise RowliftError("INTERNAL", f"The counts of the run do not add up: {counts}.")
    return counts
