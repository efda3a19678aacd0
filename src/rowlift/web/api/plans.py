"""Plans: what a run would do exactly, and the word that lets it be done."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import PlainTextResponse, Response

from rowlift.core.rights import Right
from rowlift.operations.reports import PlanRecord, RequestReport
from rowlift.web.paging import Page, whole
from rowlift.web.queries import ASKING
from rowlift.web.repeats import Once
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(tags=["plans"])

Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The plan's id.")]

Values = Annotated[bool, Query(description="With some of the rows, for who may see values.")]
Rows = Annotated[
    int | None, Query(ge=1, le=1000, description="Try the first rows of the query alone.")
]


@router.get("/plans", **door("plans.list", Right.READ))
def plans(project: Ours) -> Page[PlanRecord]:
    """List the plans that are kept, the newest first, without samples."""
    return whole(project.plans.list())


@router.post(
    "/syncs/{name}/plans", status_code=201, dependencies=ASKING, **door("plans.make", Right.RUN)
)
def make(
    name: Annotated[str, Path(max_length=200)], project: Ours, caller: Asking, once: Once,
    rows: Rows = None,
) -> PlanRecord:  # fmt: skip
    """Run the query and keep, for a day, what a run would do; samples are in the plan itself."""

    def plan() -> PlanRecord:
        made = project.plans.make(name, by=caller.name, first_rows=rows)
        project.access.audit.note(caller, "plan.make", name, after={"plan": made.id})
        return made

    return once(PlanRecord, plan)


@router.post("/runs/{run_id}/undo", status_code=201, **door("plans.make_undo", Right.RUN))
def undo(
    run_id: Annotated[int, Path(ge=1, lt=2**63)], project: Ours, caller: Asking, once: Once
) -> PlanRecord:
    """Keep, for a day, what the undo of a run would do; approve it like any plan."""

    def plan() -> PlanRecord:
        made = project.plans.make_undo(run_id, by=caller.name)
        project.access.audit.note(caller, "plan.make", made.sync, after={"plan": made.id})
        return made

    return once(PlanRecord, plan)


@router.get("/plans/{plan_id}", **door("plans.show", Right.READ))
def plan(plan_id: Id, project: Ours, caller: Asking) -> PlanRecord:
    """Return a plan, with samples for who may see values."""
    return project.plans.show(plan_id, samples=Right.VALUES in caller.rights)


@router.get(
    "/plans/{plan_id}/markdown",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}},
    **door("plans.markdown", Right.READ),
)
def markdown(plan_id: Id, project: Ours, caller: Asking, values: Values = False) -> Response:
    """Return a plan as Markdown, for a pull request."""
    if values:
        caller.require(Right.VALUES)
    told = project.plans.markdown(plan_id, samples=values)
    return PlainTextResponse(told, media_type="text/markdown")


@router.post("/plans/{plan_id}/approve", status_code=202, **door("plans.approve", Right.RUN))
def approve(plan_id: Id, project: Ours, caller: Asking, once: Once) -> RequestReport:
    """Let the service do exactly what a plan says; refused when anything moved since."""

    def ask() -> RequestReport:
        asked = project.plans.approve(plan_id, by=caller.name)
        project.access.audit.note(caller, "plan.approve", asked.sync, after={"plan": plan_id})
        return asked

    return once(RequestReport, ask)


@router.delete("/plans/{plan_id}", status_code=204, **door("plans.discard", Right.RUN))
def discard(plan_id: Id, project: Ours, caller: Asking) -> None:
    """Forget a plan."""
    project.plans.discard(plan_id)
    project.access.audit.note(caller, "plan.discard", after={"plan": plan_id})
