"""A plan of a sync: what a run would do, shown before somebody lets it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from starlette.responses import Response

from rowlift.core.errors import ConfigError, GuardStop, RowliftError, SourceError
from rowlift.core.rights import Right
from rowlift.operations.callers import Caller
from rowlift.operations.project import Project
from rowlift.operations.reports import PlanRecord
from rowlift.web.pages.forms import onward
from rowlift.web.pages.mends import Remedy
from rowlift.web.pages.render import show
from rowlift.web.pages.runs import open_remedy
from rowlift.web.pages.words import part
from rowlift.web.problems import Problem, problem_for
from rowlift.web.queries import ASKING
from rowlift.web.rights import Asking, Ours, door

router = APIRouter()

Name = Annotated[str, Path(max_length=200)]
Id = Annotated[str, Path(max_length=32)]
Rows = Annotated[int | None, Form(ge=1, le=1000)]
ALL = None
TRIED = 10  # rows


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan, and whether the reader may see the values of its samples."""

    plan: PlanRecord
    values: bool


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why there is no plan of a sync, or why one cannot be done any more."""

    sync: str
    first_rows: int | None
    undo_of: int | None
    problem: Problem
    remedy: Remedy | None


@router.post("/syncs/{name}/plan", dependencies=ASKING, **door("plans.make", Right.RUN))
def make(name: Name, request: Request, project: Ours, caller: Asking, rows: Rows = ALL) -> Response:
    """Look ahead at a run of all that the query returns, or of its first rows."""
    return looked_ahead(request, project, caller, name, rows)


@router.post("/runs/{run_id}/undo", **door("plans.make_undo", Right.RUN))
def undo(
    run_id: Annotated[int, Path(ge=1, lt=2**63)], request: Request, project: Ours, caller: Asking
) -> Response:
    """Look ahead at the undo of a run."""
    sync = project.run_report(run_id).sync
    try:
        made = project.plans.make_undo(run_id, by=caller.name)
    except (ConfigError, GuardStop) as error:
        return _stopped(request, project, sync, ALL, error, run_id)
    project.access.audit.note(caller, "plan.make", sync, after={"plan": made.id})
    return onward(f"/plans/{made.id}")


@router.get("/plans/{plan_id}", **door("plans.show", Right.READ))
def plan(plan_id: Id, request: Request, project: Ours, caller: Asking) -> Response:
    """Show what a run would do, with samples for who may see values."""
    values = Right.VALUES in caller.rights
    return show(request, "plan.html", Plan(project.plans.show(plan_id, samples=values), values))


@router.post("/plans/{plan_id}/approve", **door("plans.approve", Right.RUN))
def approve(plan_id: Id, request: Request, project: Ours, caller: Asking) -> Response:
    """Let the service do exactly what a plan says, or show why it cannot any more."""
    plan = project.plans.show(plan_id, samples=False)
    try:
        asked = project.plans.approve(plan_id, by=caller.name)
    except GuardStop as error:
        return _stopped(request, project, plan.sync, plan.first_rows, error, plan.undo_of)
    project.access.audit.note(caller, "plan.approve", asked.sync, after={"plan": plan_id})
    return onward(f"/syncs/{part(asked.sync)}?said=asked")


@router.post("/plans/{plan_id}/discard", **door("plans.discard", Right.RUN))
def discard(plan_id: Id, project: Ours, caller: Asking) -> Response:
    """Forget a plan."""
    sync = project.plans.show(plan_id, samples=False).sync
    project.plans.discard(plan_id)
    project.access.audit.note(caller, "plan.discard", after={"plan": plan_id})
    return onward(f"/syncs/{part(sync)}?said=discarded")


def looked_ahead(
    request: Request, project: Project, caller: Caller, sync: str, first_rows: int | None
) -> Response:
    """Make a plan and lead to it, or show what stopped it."""
    try:
        made = project.plans.make(sync, by=caller.name, first_rows=first_rows)
    except (GuardStop, SourceError) as error:
        return _stopped(request, project, sync, first_rows, error)
    project.access.audit.note(caller, "plan.make", sync, after={"plan": made.id})
    return onward(f"/plans/{made.id}")


def _stopped(
    request: Request,
    project: Project,
    sync: str,
    first_rows: int | None,
    error: RowliftError,
    undo_of: int | None = None,
) -> Response:
    told = problem_for(request, error)
    page = Stopped(sync, first_rows, undo_of, told, open_remedy(project, sync, told.code))
    return show(request, "plan_stopped.html", page, told.status)
