"""The service: what it is asked for, what it says of itself, and a run while it goes on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, TypeAdapter
from sse_starlette import EventSourceResponse, ServerSentEvent

from rowlift.core.rights import Right
from rowlift.operations.project import Project
from rowlift.operations.reports import RequestReport, RunReport, ServiceReport
from rowlift.web.paging import Limit, Page, whole
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(tags=["service"])

LOOK_SECONDS = 0.5

Id = Annotated[int, Path(ge=1, lt=2**63, description="The run's id.")]

_RUN = TypeAdapter(RunReport)


class RunWanted(BaseModel):
    """A run that the service shall begin."""

    allow_removals: bool = False


@router.get("/service", **door("service.status", Right.READ))
def status(project: Ours) -> ServiceReport | None:
    """Tell which process serves the project, or did last."""
    return project.service.status()


@router.get("/requests", **door("service.requests", Right.READ))
def requests(project: Ours, limit: Limit = 20) -> Page[RequestReport]:
    """List the newest requests for runs, and what came of them."""
    return whole(project.service.requests(limit))


@router.post("/syncs/{name}/runs", status_code=202, **door("service.trigger", Right.RUN))
def trigger(
    name: Annotated[str, Path(max_length=200)], body: RunWanted, project: Ours, caller: Asking
) -> RequestReport:
    """Ask for a run as soon as no other one is active; one that waits already stands for both."""
    (asked,) = project.service.trigger([name], by=caller.name, allow_removals=body.allow_removals)
    project.access.audit.note(
        caller, "sync.run", name, after={"allow_removals": body.allow_removals}
    )
    return asked


@router.post("/runs/{run_id}/cancel", **door("service.cancel", Right.RUN))
def cancel(run_id: Id, project: Ours, caller: Asking) -> RunReport:
    """Ask for the end of a run and of its deliveries; what is due stays due."""
    report = project.service.cancel(run_id, by=caller.name)
    project.access.audit.note(caller, "run.cancel", str(run_id))
    return report


@router.get(
    "/runs/{run_id}/events",
    response_class=EventSourceResponse,
    **door("run_report", Right.READ),
)
def events(run_id: Id, project: Ours) -> EventSourceResponse:
    """Send the run each time that it has changed, until it and its deliveries are over."""
    return EventSourceResponse(_changes(project, run_id, project.run_report(run_id)))


async def _changes(
    project: Project, run_id: int, report: RunReport
) -> AsyncIterator[ServerSentEvent]:
    told = b""
    while True:
        text = _RUN.dump_json(report)
        if text != told:
            told = text
            yield ServerSentEvent(event="run", data=text.decode())
        if report.is_over:
            return
        await asyncio.sleep(LOOK_SECONDS)
        report = await asyncio.to_thread(project.run_report, run_id)
