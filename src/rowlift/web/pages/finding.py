"""Finding somebody across all runs: what on-call looks for."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from rowlift.core.rights import Right
from rowlift.operations.finding import Found
from rowlift.web.pages.render import show
from rowlift.web.rights import Ours, door

router = APIRouter()


@router.get("/find", **door("find", Right.VALUES))
def find(
    request: Request, project: Ours, q: Annotated[str, Query(max_length=1000)] = ""
) -> Response:
    """Show what was sent of somebody, and every row of theirs that did not go."""
    wanted = q.strip()
    return show(request, "find.html", project.find(wanted) if wanted else Found("", None, ()))
