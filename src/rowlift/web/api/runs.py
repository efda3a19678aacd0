"""Runs: what happened, and the rows that did not go."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import StreamingResponse

from rowlift.core.rights import Right
from rowlift.kit.csvlines import csv_lines
from rowlift.operations.discretion import seen_by
from rowlift.operations.hindsight import RunChanges, RunFacts
from rowlift.operations.reasons import Reason
from rowlift.operations.rejects import COLUMNS, ROW
from rowlift.operations.reports import RunReport, UndoReport
from rowlift.operations.watching import RunRequests
from rowlift.web.downloads import described, download
from rowlift.web.paging import Cursor, Limit, Page, page, place, whole
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/runs", tags=["runs"])

Id = Annotated[int, Path(ge=1, lt=2**63, description="The run's id.")]
Failed = Annotated[bool, Query(description="Those only in which a row or destination failed.")]
Sync = Annotated[str | None, Query(max_length=200, description="Of one sync only.")]


@router.get("", **door("runs", Right.READ))
def runs(
    project: Ours, caller: Asking, sync: Sync = None, limit: Limit = 20, cursor: Cursor = None,
    failed: Failed = False,
) -> Page[RunReport]:  # fmt: skip
    """List runs, the newest first.

    Who may not see values is told what the code of a reason means, in the place of a reason that
    may quote a row.
    """
    found = project.runs(sync, limit, before=place(cursor), failed=failed)
    return page(seen_by(caller, found), limit, attrgetter("id"))


@router.get("/{run_id}", **door("run_report", Right.READ))
def run(run_id: Id, project: Ours, caller: Asking) -> RunReport:
    """Return one run with its deliveries."""
    return seen_by(caller, project.run_report(run_id))


@router.get(
    "/{run_id}/rejects.csv",
    response_class=StreamingResponse,
    responses=dict(described("csv")),
    **door("rejects", Right.EXPORT),
)
def rejects_csv(
    run_id: Id,
    project: Ours,
    caller: Asking,
    rows: Annotated[bool, Query(description="With the values of each row.")] = False,
) -> StreamingResponse:
    """Download all rows that did not go; no cell is a formula."""
    run_id = project.run_report(run_id).id
    project.access.audit.note(caller, "rejects.export", str(run_id))
    lines = csv_lines((*COLUMNS, ROW) if rows else COLUMNS, project.rejects(run_id, rows=rows))
    return download(lines, f"rejects-{run_id}", "csv")


@router.get("/{run_id}/reasons", **door("glance.reasons", Right.READ))
def reasons(run_id: Id, project: Ours, caller: Asking) -> Page[Reason]:
    """Tell why rows did not go, by code, with some of them for who may see values."""
    return whole(project.glance.reasons(run_id, values=Right.VALUES in caller.rights))


@router.get("/{run_id}/facts", **door("glance.facts", Right.READ))
def facts(run_id: Id, project: Ours) -> RunFacts:
    """Tell what a run was to do, and whether last_sync_time moved."""
    return project.glance.facts(run_id)


@router.get("/{run_id}/changes", **door("glance.changes", Right.READ))
def changes(run_id: Id, project: Ours, caller: Asking) -> RunChanges:
    """Tell what changed since the last good run of the sync."""
    return project.glance.changes(run_id, whole=Right.EDIT in caller.rights)


@router.get("/{run_id}/undo", **door("undone.show", Right.READ))
def undone(run_id: Id, project: Ours) -> UndoReport:
    """Tell whether a run can be undone, until when, and by which run it was."""
    return project.undone.show(run_id)


@router.get("/{run_id}/requests", **door("watch.of_run", Right.READ))
def requests(run_id: Id, project: Ours, caller: Asking) -> Page[RunRequests]:
    """List requests that a run sent to each destination, with replies, as far as they are kept.

    Secrets are left out, and values for who may not see rows.
    """
    values, edits = Right.VALUES in caller.rights, Right.EDIT in caller.rights
    return whole(project.watch.of_run(run_id, values=values, whole=edits))


@router.get("/{run_id}/rejects", **door("rejects", Right.VALUES))
def rejects(
    run_id: Id,
    project: Ours,
    rows: Annotated[bool, Query(description="With the values of each row.")] = False,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> list[Mapping[str, Any]]:
    """List the first rows that did not go, with code and reason."""
    found = project.rejects(run_id, rows=rows)
    return [one for one, _ in zip(found, range(limit), strict=False)]
