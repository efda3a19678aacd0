"""The list of runs, and one of them: while it goes on, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from rowlift.core.rights import Right
from rowlift.operations.hindsight import RunChanges, RunFacts
from rowlift.operations.project import Project
from rowlift.operations.reasons import Reason
from rowlift.operations.reports import RunReport, UndoReport
from rowlift.operations.watching import RunRequests
from rowlift.web.pages.forms import NO, Failed, onward
from rowlift.web.pages.mends import REMEDIES, Remedy, remedy_of
from rowlift.web.pages.render import show
from rowlift.web.paging import Cursor, page, place
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(prefix="/runs")

Id = Annotated[int, Path(ge=1, lt=2**63)]
Sync = Annotated[str, Query(max_length=200)]

RUNS = 50  # on one page
BARS = 40  # before and with the run that is shown


@dataclass(frozen=True, slots=True)
class Runs:
    """A page of the runs that meet the filters."""

    items: Sequence[RunReport]
    next: str | None
    sync: str
    failed: bool
    syncs: Sequence[str]


@dataclass(frozen=True, slots=True)
class Run:
    """One run, why rows of it did not go, what changed before it, and the runs up to it."""

    run: RunReport
    facts: RunFacts
    reasons: Sequence[Reason]
    changes: RunChanges
    requests: Sequence[RunRequests]
    before: Sequence[RunReport]
    is_declared: bool
    is_paused: bool
    undo: UndoReport
    remedy: Remedy | None = None
    anew: Mapping[str, Remedy] = field(default_factory=dict)


@router.get("", **door("runs", Right.READ))
def runs(
    request: Request, project: Ours, sync: Sync = "", failed: Failed = NO, cursor: Cursor = None
) -> Response:
    """List runs, the newest first."""
    found = project.runs(sync or None, RUNS, before=place(cursor), failed=failed)
    shown = page(found, RUNS, lambda one: one.id)
    names = [one.name for one in project.ls()]
    return show(request, "runs.html", Runs(shown.items, shown.next, sync, failed, names))


@router.get("/{run_id}", **door("run_report", Right.READ))
def run(run_id: Id, request: Request, project: Ours, caller: Asking) -> Response:
    """Show one run with its deliveries."""
    report, glance, values = (
        project.run_report(run_id),
        project.glance,
        Right.VALUES in caller.rights,
    )
    is_declared = report.sync in {one.name for one in project.ls()}
    before = project.runs(report.sync, BARS, before=run_id + 1) if is_declared else [report]
    told = Run(
        report,
        glance.facts(run_id),
        glance.reasons(run_id, values=values),
        glance.changes(run_id, whole=Right.EDIT in caller.rights),
        project.watch.of_run(run_id, values=values, whole=Right.EDIT in caller.rights),
        before[::-1],
        is_declared,
        is_declared and report.sync in project.paused([report.sync]),
        project.undone.show(run_id),
        open_remedy(project, report.sync, report.reason_code) if is_declared else None,
        {"ACCOUNT_CHANGED": REMEDIES["ACCOUNT_CHANGED"]} if is_declared else {},
    )
    return show(request, "run.html", told)


def open_remedy(project: Project, sync: str, code: str) -> Remedy | None:
    """Return what can be done here about a guard's stop; syncs of files are changed there."""
    one = project.definitions.get("sync", sync)
    found = remedy_of(code, one.document)
    return found if found and (found.change is None or one.managed == "rowlift") else None


@router.post("/{run_id}/cancel", **door("service.cancel", Right.RUN))
def cancel(run_id: Id, project: Ours, caller: Asking) -> Response:
    """Ask for the end of a run and of its deliveries."""
    project.service.cancel(run_id, by=caller.name)
    project.access.audit.note(caller, "run.cancel", str(run_id))
    return onward(f"/runs/{run_id}?said=cancelling")


@router.post("/{run_id}/retry", **door("service.retry", Right.RUN))
def retry(run_id: Id, project: Ours, caller: Asking) -> Response:
    """Try again what a run left, each row in its newest version."""
    project.service.retry(run_id, by=caller.name)
    project.access.audit.note(caller, "run.retry", str(run_id))
    return onward(f"/runs/{run_id}?said=retrying")
