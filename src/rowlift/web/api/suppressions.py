"""People who are never processed again."""

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from rowlift.core.rights import Right
from rowlift.operations.suppressing import SuppressionReport
from rowlift.web.bodies import Body
from rowlift.web.paging import Cursor, Limit, Page, page, place
from rowlift.web.rights import Asking, Ours, door
from rowlift.workspace.suppression import Suppression

router = APIRouter(prefix="/suppressions", tags=["suppressions"])


class Named(Body):
    """Who: id:…, email:…, anonymous_id:…, or plainly an address or an id."""

    people: list[Annotated[str, Field(max_length=1000)]] = Field(
        min_length=1, max_length=10_000, examples=[["ann@example.com"]]
    )
    note: str = Field("", max_length=1000)


@router.get("", **door("suppressions", Right.READ))
def suppressions(project: Ours, limit: Limit = 20, cursor: Cursor = None) -> Page[Suppression]:
    """List who is suppressed, by hash, the newest first."""
    found = project.suppressions(limit, before=place(cursor))
    return page(found, limit, attrgetter("number"))


@router.post("", **door("suppress", Right.EDIT))
def suppress(body: Named, project: Ours, caller: Asking) -> SuppressionReport:
    """Never process some people again; the service takes them out of where they were delivered."""
    report = project.suppress(body.people, note=body.note, wait=False)
    project.access.audit.note(caller, "suppress", after={"identifiers": report.identifiers})
    return report


@router.post("/remove", **door("unsuppress", Right.EDIT))
def unsuppress(body: Named, project: Ours, caller: Asking) -> SuppressionReport:
    """Process some people again."""
    report = project.unsuppress(body.people, wait=False)
    project.access.audit.note(caller, "unsuppress", after={"identifiers": report.identifiers})
    return report
