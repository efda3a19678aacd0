"""What Rowlift does at this moment: the last requests to a destination and their replies."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request
from pydantic import TypeAdapter
from sse_starlette import EventSourceResponse, ServerSentEvent

from rowlift.core.digits import IN_64_BITS, number_of
from rowlift.core.rights import Right
from rowlift.operations.callers import Caller
from rowlift.operations.project import Project
from rowlift.operations.watching import ExchangeReport
from rowlift.web.paging import Limit, Page, whole
from rowlift.web.rights import Asking, Ours, door, stay
from rowlift.web.streams import LONGEST_SECONDS, LOOK_SECONDS, Listeners

router = APIRouter(prefix="/destinations/{name}/requests", tags=["destinations"])

Name = Annotated[str, Path(max_length=200, description="The destination's name.")]
After = Annotated[int, Query(ge=0, lt=2**63, description="From the one after this id.")]
LastEventId = Annotated[str, Header(max_length=18, description="What a browser sends by itself.")]

_EXCHANGE = TypeAdapter(ExchangeReport)


@router.get("", **door("watch.requests", Right.READ))
def requests(
    name: Name, project: Ours, caller: Asking, limit: Limit = 20, after: After = 0
) -> Page[ExchangeReport]:
    """List the last requests and replies, the oldest first.

    Secrets are left out, and values for who may not see rows; the paths of addresses for who may
    not edit.
    """
    return whole(project.watch.requests(name, limit, after=after, **_shown_to(caller)))


@router.get("/events", response_class=EventSourceResponse, **door("watch.requests", Right.READ))
def events(
    request: Request, name: Name, project: Ours, caller: Asking,
    after: After = 0, last_event_id: LastEventId = "",
) -> EventSourceResponse:  # fmt: skip
    """Send each request and its reply as it is kept, for a quarter of an hour."""
    after = max(after, number_of(last_event_id, IN_64_BITS) or 0)
    project.watch.requests(name, 1, after=after)
    listeners: Listeners = request.app.state.listeners
    listeners.refuse_more(caller)
    followed = _followed(project, name, after, _shown_to(caller))
    return EventSourceResponse(listeners.heard(caller, followed, partial(stay, request, project)))


def _shown_to(caller: Caller) -> Mapping[str, bool]:
    return {"values": Right.VALUES in caller.rights, "whole": Right.EDIT in caller.rights}


async def _followed(
    project: Project, name: str, after: int, shown: Mapping[str, bool]
) -> AsyncIterator[ServerSentEvent]:
    look = project.watch.requests
    until = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < until:
        for one in await asyncio.to_thread(look, name, after=after, **shown):
            after = one.id
            data = _EXCHANGE.dump_json(one).decode()
            yield ServerSentEvent(event="request", id=str(one.id), data=data)
        await asyncio.sleep(LOOK_SECONDS)
