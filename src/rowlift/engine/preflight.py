"""Pre-flight: whom the rows of a query meet in the workspace, before anything is written.

The statements that decide in a run (identity.py, decisions.py) decide here over the identifiers of
the whole result, and what they decide is only counted. A result that hardly anybody of is known,
beside people from elsewhere, is identified by the wrong column more often than it is new: that
stops the first run of a query.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Kind
from rowlift.core.specs import SyncSpec
from rowlift.engine import apply
from rowlift.engine.canon import ENDED
from rowlift.engine.decisions import reason
from rowlift.engine.duck import Duck, text
from rowlift.engine.marks import Mark, load_known, marked_counts
from rowlift.engine.suppress import find_suppressed, watch
from rowlift.state.images import Image
from rowlift.state.runs import Run
from rowlift.state.store import Store
from rowlift.workspace import lookup
from rowlift.workspace.standing import known
from rowlift.workspace.workspace import Workspace

GUARDED_FROM_ROWS = 200
EXAMPLES = 5


class Fate(StrEnum):
    """What the workspace would do with a row."""

    MATCHED = "matched"  # known by what identifies the sync's rows
    ATTACHED = "attached"  # known by another identifier, and given this one
    NEW = "new"
    SKIPPED = "skipped"  # the sync's mode does not want it, or there is nothing to end
    SUPPRESSED = "suppressed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class MetRow:
    """One row of the result; the reason says why it is rejected, or whom it joins."""

    row_number: int
    identifier: str
    reason: str


@dataclass(frozen=True, slots=True)
class Met:
    """How many rows have one fate, and the first of them; rejected ones code by code."""

    fate: Fate
    code: str
    rows: int
    examples: tuple[MetRow, ...]


_ROWS = f"""
CREATE OR REPLACE TEMP TABLE preflight_rows AS
SELECT key, version, CASE WHEN attributes = {text(ENDED)} THEN 'delete' ELSE 'upsert' END AS op,
    fp, present, row_number, attributes
FROM valid
"""
_HIDDEN = "op = 'upsert' AND key IN (FROM suppressed_keys)"
_MET = """
WITH decided AS (
    SELECT d.key, CASE
            WHEN d.code = 'SKIP' OR (d.op <> 'upsert' AND d.target IS NULL) THEN 'skipped'
            WHEN d.code <> '' THEN 'rejected' WHEN d.target IS NULL THEN 'new'
            WHEN d.attached THEN 'attached' ELSE 'matched' END AS fate,
        CASE WHEN d.code <> 'SKIP' THEN d.code ELSE '' END AS code,
        CASE WHEN d.attached AND d.code = '' THEN 'It joins ' || k.label || '.'
            WHEN d.code = 'SKIP' THEN '' ELSE {reason} END AS reason
    FROM apply_decided d LEFT JOIN apply_known k ON k.pid = coalesce(d.other, d.target)
    {familiar} {suppressed}
)
SELECT fate, code, count(*),
    min_by({{'row': row_number, 'key': key, 'reason': reason}}, row_number, {examples})
FROM decided JOIN preflight_rows USING (key) GROUP BY fate, code
"""
_FAMILIAR = "UNION ALL SELECT key, 'matched', '', '' FROM apply_familiar"
_SUPPRESSED = f"""
UNION ALL SELECT key, {{fate}}, {{code}}, {{reason}} FROM preflight_rows WHERE {_HIDDEN}
"""

# Who is only to be made has no number yet: one that nobody can have stands for it.
_AHEAD = """
CREATE OR REPLACE TEMP TABLE ahead_{table} AS
SELECT coalesce(d.target, -r.row_number) AS pid, 'update' AS action, {columns}, 1 AS revision
FROM apply_decided d JOIN preflight_rows r USING (key)
WHERE d.code = '' AND d.op = 'upsert' AND {wanted}
"""
_AHEAD_PEOPLE = """coalesce(d.id, d.target_id) AS id,
    coalesce(d.email_key, d.target_email_key) AS email_key"""


def meet(
    duck: Duck, workspace: Workspace, spec: SyncSpec, *, ahead: bool = False
) -> tuple[Met, ...]:
    """Tell the fates of the rows in the view `valid`, as if nothing had left the query.

    With `ahead` whom `look_ahead` keeps counts as written. Nothing is changed.
    """
    duck.run(_ROWS)
    due, suppressed = "preflight_rows", ""
    if watch(duck, workspace.database, workspace.id):
        rows = "SELECT key, attributes FROM preflight_rows WHERE op = 'upsert'"
        find_suppressed(duck, rows, spec.kind, spec.identify_by)
        due = f"(FROM preflight_rows WHERE NOT ({_HIDDEN}))"
        suppressed = _SUPPRESSED.format(**_fate_of_suppressed(spec))
    with workspace.database.read() as connection:
        apply.identify(duck, connection, workspace, spec, due, apply.Asked(ahead=ahead))
    parts = {"familiar": _FAMILIAR if spec.kind is Kind.PERSON else "", "suppressed": suppressed}
    found = duck.rows(_MET.format(reason=reason(spec.kind), examples=EXAMPLES, **parts))
    order = list(Fate)
    told = (_met(*row) for row in found)
    return tuple(sorted(told, key=lambda one: (order.index(one.fate), -one.rows, one.code)))


def _fate_of_suppressed(spec: SyncSpec) -> Mapping[str, str]:
    action, code, words = apply.told_of_suppressed(spec)
    fate = Fate.REJECTED if action == "reject" else Fate.SUPPRESSED
    return {"fate": text(fate), "code": text(code), "reason": text(words)}


def _met(fate: str, code: str, rows: int, examples: list[dict[str, object]]) -> Met:
    shown = (MetRow(int(str(one["row"])), str(one["key"]), str(one["reason"])) for one in examples)
    return Met(Fate(fate), code, rows, tuple(shown))


def look_ahead(duck: Duck, kind: Kind) -> None:
    """Keep whom `meet` found or would make, for relationships that are met after them."""
    is_people = kind is Kind.PERSON
    people = _AHEAD_PEOPLE if is_people else "'' AS id, '' AS email_key"
    things = "'' AS object_type, '' AS object_id" if is_people else "d.object_type, d.object_id"
    duck.run(_AHEAD.format(table="people", columns=people, wanted=is_people))
    duck.run(_AHEAD.format(table="objects", columns=things, wanted=not is_people))


def guard_unknown(
    duck: Duck,
    store: Store,
    run: Run,
    spec: SyncSpec,
    workspace: Workspace,
    staged: Path,
    counts: Mapping[str, Any],
) -> None:
    """Refuse a new or edited sync whose people are mostly unknown; nothing was changed.

    Rows that the sync had by its query before, too, are of people it knows: where the `counts` have
    too few others nobody is looked up. Raises GuardStop MOSTLY_UNKNOWN.
    """
    strange = sum(counts[one] for one in ("added", "returned", "rejected"))
    if not is_guarded(store, run.sync_uid, spec) or not _are_many(strange, counts["read"], spec):
        return
    if not lookup.count(workspace, besides=run.sync_uid):
        return
    load_known(duck, partial(known, workspace, spec.kind), run.sync_uid)
    veto = mostly_unknown(marked_counts(duck, staged, spec), spec)
    if veto:
        raise veto


def is_guarded(store: Store, sync_uid: str, spec: SyncSpec) -> bool:
    """Tell whether a run would ask how many people are unknown: no run wrote by this query yet."""
    if not spec.workspace or spec.kind is not Kind.PERSON or spec.guards.unknown is None:
        return False
    image = store.images.image(sync_uid)
    return image is None or _is_edited(store, image, spec)


def _is_edited(store: Store, image: Image, spec: SyncSpec) -> bool:
    before = SyncSpec.from_json(store.runs.get(image.run_id).spec)
    return (before.sql, before.identify_by) != (spec.sql, spec.identify_by)


def mostly_unknown(marks: Mapping[Mark, int], spec: SyncSpec) -> GuardStop | None:
    """Return the refusal of a query with such marks, though others are known; None if it passes."""
    rows, unknown = sum(marks.values()), marks[Mark.UNKNOWN]
    if not _are_many(unknown, rows, spec):
        return None
    return GuardStop(
        "MOSTLY_UNKNOWN",
        f"{unknown:,} of {rows:,} rows are of people whom the workspace does not know, though "
        "it holds others. Perhaps the identifier column is the wrong one.",
        mend="Look at rowlift preview NAME; if they are new: rowlift plan NAME and "
        "rowlift run --plan FILE, or set guards.unknown: off.",
    )


def _are_many(unknown: int, rows: int, spec: SyncSpec) -> bool:
    guard = spec.guards.unknown
    if guard is None or rows <= GUARDED_FROM_ROWS:
        return False
    most = guard.rows if guard.rows is not None else int(rows * (guard.percent or 0) / 100)
    return unknown > most
