"""What a code means, and how to mend what it stands for."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from starlette.responses import Response

from rowlift.core.rights import Right
from rowlift.core.rules import RULES
from rowlift.web.pages.render import show
from rowlift.web.rights import door

router = APIRouter(prefix="/codes")


@router.get("/{code}", **door("rule", Right.READ))
def code(code: Annotated[str, Path(max_length=100)], request: Request) -> Response:
    """Explain a code that a page named."""
    if code not in RULES:
        raise HTTPException(404, f"There is no code {code!r}.")
    return show(request, "code.html", RULES[code])
