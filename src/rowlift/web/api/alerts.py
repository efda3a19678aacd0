"""What is wrong, who is told of it, and how fresh everything is."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from rowlift.core.rights import Right
from rowlift.operations.alerting import AlertReport, ChannelReport
from rowlift.operations.freshness import Freshness
from rowlift.web.paging import Page, whole
from rowlift.web.rights import Asking, Ours, door

router = APIRouter(tags=["alerts"])

Name = Annotated[str, Path(max_length=200)]


@router.get("/alerts", **door("alerts.wrong", Right.READ))
def wrong(project: Ours) -> Page[AlertReport]:
    """List what is wrong now, the newest first."""
    return whole(project.alerts.wrong())


@router.get("/channels", **door("alerts.channels", Right.READ))
def channels(project: Ours) -> Page[ChannelReport]:
    """List who is told, and which channels do not take what they are told."""
    return whole(project.alerts.channels())


@router.post("/channels/{name}/test", status_code=204, **door("alerts.test", Right.EDIT))
def test(name: Name, request: Request, project: Ours, caller: Asking) -> None:
    """Send a test to a channel at once; at most ten times a minute.

    Whatever keeps a server from us reads the same, so that nobody looks for open ports with it.
    """
    request.app.state.tests.take(caller.name)
    project.access.audit.note(caller, "channel.test", name)
    project.alerts.test(name, discreet=True)


@router.get("/freshness", **door("alerts.freshness", Right.READ))
def freshness(
    project: Ours,
    sync: Annotated[
        str | None, Query(max_length=200, description="Of one sync, with each attribute.")
    ] = None,
) -> Page[Freshness]:
    """Tell how fresh what syncs brought is, here and at destinations, and what is late."""
    return whole(project.alerts.freshness(sync))
