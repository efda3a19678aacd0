"""Signing in through an issuer."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from rowlift.core.rights import Right
from rowlift.operations.single_sign_on import SECONDS, Ways
from rowlift.operations.vouching import refused
from rowlift.web.cookies import forget_session, keep_session
from rowlift.web.rights import Asking, Ours, address_of, door, is_secure

router = APIRouter(tags=["session"])

_LOGIN = "rowlift-login"
_SEE_OTHER = 303

Next = Annotated[str, Query(max_length=2000, description="A path of this server.")]
Returned = Annotated[str, Query(max_length=4000)]


class SignedOut(BaseModel):
    """Where the browser signs out at the issuer too; null where there is no such place."""

    url: str | None


@router.get("/session/ways", **door("access.single_sign_on.ways", None))
def ways(project: Ours) -> Ways:
    """Tell how one can sign in."""
    return project.access.single_sign_on.ways()


@router.get(
    "/oidc/login",
    status_code=_SEE_OTHER,
    response_class=RedirectResponse,
    **door("access.single_sign_on.start", None),
)
def begin(request: Request, project: Ours, next: Next = "/") -> Response:  # noqa: A002
    """Send the browser to the issuer."""
    begun = project.access.single_sign_on.start(next, f"{_here(request)}/api/v1/oidc/callback")
    answer = RedirectResponse(begun.url, _SEE_OTHER)
    secure = is_secure(request)
    answer.set_cookie(
        _cookie(request), begun.state, max_age=SECONDS, path="/",
        secure=secure, httponly=True, samesite="lax",
    )  # fmt: skip
    return answer


@router.get(
    "/oidc/callback",
    status_code=_SEE_OTHER,
    response_class=RedirectResponse,
    **door("access.single_sign_on.finish", None),
)
def finish(
    request: Request, project: Ours, state: Returned = "", code: Returned = "", error: Returned = ""
) -> Response:
    """Take the browser back from the issuer; the session is in a cookie."""
    if error or not code:
        raise refused("The issuer sent nobody back.")
    done = project.access.single_sign_on.finish(
        state, request.cookies.get(_cookie(request), ""), code, address=address_of(request)
    )
    answer = RedirectResponse(done.next, _SEE_OTHER)
    keep_session(answer, done.session, secure=is_secure(request))
    answer.delete_cookie(_cookie(request), secure=is_secure(request), httponly=True)
    return answer


@router.post("/oidc/logout", **door("access.single_sign_on.logout", Right.READ))
def logout(request: Request, response: Response, project: Ours, caller: Asking) -> SignedOut:
    """Sign out here, and tell where to go to sign out at the issuer."""
    url = project.access.single_sign_on.logout(caller, f"{_here(request)}/")
    forget_session(response, secure=is_secure(request))
    return SignedOut(url=url)


def _here(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers['host']}"


def _cookie(request: Request) -> str:
    return f"__Host-{_LOGIN}" if is_secure(request) else _LOGIN
