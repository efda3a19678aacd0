"""The first page: how everything stands."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from rowlift.core.rights import Right
from rowlift.web.pages.render import show
from rowlift.web.rights import Ours, door

router = APIRouter()


@router.get("/", **door("glance.overview", Right.READ))
def overview(request: Request, project: Ours) -> Response:
    """Show what is wrong, what comes next and what was moved lately."""
    return show(request, "overview.html", project.glance.overview())
