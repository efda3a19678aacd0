"""Pre-flight: before a sync writes people for the first time, how many of them the workspace knows.

A result that hardly anybody of is known, beside people from elsewhere, is identified by the wrong
column more often than it is new.
"""

from functools import partial
from pathlib import Path

from rowlift.core.errors import GuardStop
from rowlift.core.nouns import Kind
from rowlift.core.specs import SyncSpec
from rowlift.engine.duck import Duck
from rowlift.engine.marks import Mark, load_known, marked_counts
from rowlift.state.runs import Run
from rowlift.state.store import Store
from rowlift.workspace import lookup
from rowlift.workspace.standing import known
from rowlift.workspace.workspace import Workspace

GUARDED_FROM_ROWS = 200


def guard_unknown(
    duck: Duck, store: Store, run: Run, spec: SyncSpec, workspace: Workspace, staged: Path
) -> None:
    """Refuse a new or edited sync whose people are mostly unknown; nothing was changed.

    Raises GuardStop MOSTLY_UNKNOWN.
    """
    guarded = spec.workspace and spec.kind is Kind.PERSON
    if not guarded or spec.guards.unknown is None or not _is_new_query(store, run, spec):
        return
    if not lookup.count(workspace, besides=run.sync_uid):
        return
    load_known(duck, partial(known, workspace, spec.kind), run.sync_uid)
    marks = marked_counts(duck, staged, spec)
    rows, unknown = sum(marks.values()), marks[Mark.UNKNOWN]
    most = spec.guards.unknown.rows
    if most is None:
        most = int(rows * (spec.guards.unknown.percent or 0) / 100)
    if rows > GUARDED_FROM_ROWS and unknown > most:
        raise GuardStop(
            "MOSTLY_UNKNOWN",
            f"{unknown:,} of {rows:,} rows are of people whom the workspace does not know, though "
            "it holds others. Perhaps the identifier column is the wrong one.",
            mend="Look at rowlift preview NAME; if they are new: rowlift plan NAME and "
            "rowlift run --plan FILE, or set guards.unknown: off.",
        )


def _is_new_query(store: Store, run: Run, spec: SyncSpec) -> bool:
    """Tell whether no run wrote by this query and identifier before."""
    image = store.images.image(run.sync_uid)
    if image is None:
        return True
    before = SyncSpec.from_json(store.runs.get(image.run_id).spec)
    return (before.sql, before.identify_by) != (spec.sql, spec.identify_by)
