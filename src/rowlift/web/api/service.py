"""The service: what it is asked for, what it says of itself, and a run while it goes on."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from functools import partial
from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import TypeAdapter
from sse_starlette import EventSourceResponse, ServerSentEvent

from rowlift.core.rights import Right
from rowlift.operations.callers import Caller
from rowlift.operations.discretion import seen_by
from rowlift.operations.project import Project
from rowlift.operations.reports import RequestReport, RetryRequest, RunReport, ServiceReport
from rowlift.web.bodies import Body
from rowlift.web.paging import Cursor, Limit, Page, page, place
from rowlift.web.repeats import Once
from rowlift.web.rights import Asking, Ours, door, stay
from rowlift.web.streams import LONGEST_SECONDS, LOOK_SECONDS, Listeners

router = APIRouter(tags=["service"])

Id = Annotated[int, Path(ge=1, lt=2**63, description="The run's id.")]

LastEvent = Annotated[str, Header(max_length=100, description="The newest event that was read.")]

_RUN = TypeAdapter(RunReport)


class RunWanted(Body):
    """A run that the service shall begin."""

    allow_removals: bool = False


_AS_USUAL = RunWanted()


@router.get("/service", **door("service.status", Right.READ))
def status(project: Ours) -> ServiceReport | None:
    """Tell which process serves the project, or did last."""
    return project.service.status()


@router.get("/requests", **door("service.requests", Right.READ))
def requests(
    project: Ours, caller: Asking, limit: Limit = 20, cursor: Cursor = None
) -> Page[RequestReport]:
    """List the newest requests for runs, and what came of them."""
    found = project.service.requests(limit, before=place(cursor))
    return page(seen_by(caller, found), limit, attrgetter("id"))


@router.post("/syncs/{name}/runs", status_code=202, **door("service.trigger", Right.RUN))
def trigger(
    name: Annotated[str, Path(max_length=200)],
    project: Ours,
    caller: Asking,
    once: Once,
    body: RunWanted = _AS_USUAL,
) -> RequestReport:
    """Ask for a run as soon as no other one is active; one that waits already stands for both."""

    def ask() -> RequestReport:
        allow = body.allow_removals
        (asked,) = project.service.trigger([name], by=caller.name, allow_removals=allow)
        project.access.audit.note(caller, "sync.run", name, after={"allow_removals": allow})
        return asked

    return once(RequestReport, ask)


@router.post("/runs/{run_id}/retry", status_code=202, **door("service.retry", Right.RUN))
def retry(run_id: Id, project: Ours, caller: Asking, once: Once) -> RetryRequest:
    """Try again what a run left, each row in its newest version; the source is not asked."""

    def ask() -> RetryRequest:
        asked = project.service.retry(run_id, by=caller.name)
        project.access.audit.note(caller, "run.retry", str(run_id))
        return asked

    return once(RetryRequest, ask)


@router.post("/runs/{run_id}/cancel", **door("service.cancel", Right.RUN))
def cancel(run_id: Id, project: Ours, caller: Asking) -> RunReport:
    """Ask for the end of a run and of its deliveries; what is due stays due."""
    report = project.service.cancel(run_id, by=caller.name)
    project.access.audit.note(caller, "run.cancel", str(run_id))
    return seen_by(caller, report)


@router.get(
    "/runs/{run_id}/events",
    response_class=EventSourceResponse,
    responses={204: {"description": "It is over, and the reader knows: nobody need come again."}},
    **door("run_report", Right.READ),
)
def events(
    request: Request, run_id: Id, project: Ours, caller: Asking, last_event_id: LastEvent = ""
) -> Response:
    """Send the run each time that it has changed, until it and its deliveries are over.

    Comments between events keep proxies from closing the connection, which ends after a quarter of
    an hour; who comes back hears only what is new.
    """
    report = seen_by(caller, project.run_report(run_id))
    if report.is_over and _event(report).id == last_event_id:
        return Response(status_code=204)
    listeners: Listeners = request.app.state.listeners
    listeners.refuse_more(caller)
    changes = _changes(project, caller, report, last_event_id)
    changes = listeners.heard(caller, changes, partial(stay, request, project))
    return EventSourceResponse(changes, ping=request.app.state.heartbeat_seconds)


async def _changes(
    project: Project, caller: Caller, report: RunReport, told: str | None
) -> AsyncIterator[ServerSentEvent]:
    until = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < until:
        event = _event(report)
        if event.id != told:
            told = event.id
            yield event
        if report.is_over:
            return
        await asyncio.sleep(LOOK_SECONDS)
        report = seen_by(caller, await asyncio.to_thread(project.run_report, report.id))


def _event(report: RunReport) -> ServerSentEvent:
    """Return a run as an event; its id tells whether somebody has seen it so."""
    text = _RUN.dump_json(report)
    return ServerSentEvent(
        event="run", data=text.decode(), id=hashlib.sha256(text).hexdigest()[:16]
    )
