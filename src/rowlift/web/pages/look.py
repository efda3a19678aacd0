"""How pages look to one reader."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from rowlift.core.rights import Right
from rowlift.operations.single_sign_on import is_own_path
from rowlift.web.pages.forms import Way, onward
from rowlift.web.pages.render import THEME_COOKIE
from rowlift.web.rights import door, is_secure

router = APIRouter()

_YEAR_SECONDS = 365 * 86_400


@router.post("/look", **door("look", Right.READ))
def look(
    request: Request,
    theme: Annotated[str, Form(pattern="^(system|light|dark)$")],
    back: Way = "/",
) -> Response:
    """Keep whether pages are light or dark, in this browser."""
    answer = onward(back if is_own_path(back) else "/")
    answer.set_cookie(
        THEME_COOKIE, theme, max_age=_YEAR_SECONDS, path="/", secure=is_secure(request),
        httponly=True, samesite="lax",
    )  # fmt: skip
    return answer
