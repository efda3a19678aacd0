"""Who may use which route: every route declares its right and its operation, or nobody may."""

import secrets
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from rowlift.core.errors import AccessError
from rowlift.core.rights import Right
from rowlift.kit.passwords import digest
from rowlift.operations.callers import Caller, signed_out
from rowlift.operations.project import Project

COOKIE = "rowlift"
SECURE_COOKIE = "__Host-rowlift"
CSRF_HEADER = "x-csrf-token"

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_NOBODY = Caller("nobody", "", frozenset())


def door(operation: str, right: Right | None) -> dict[str, Any]:
    """Declare a route's operation and the right it takes; None lets everybody in."""
    name = right.value if right else "none"
    return {"openapi_extra": {"x-operation": operation, "x-right": name}}


def project_of(request: Request) -> Project:
    """Return the project that a request works on."""
    found: Project = request.app.state.office.project()
    return found


Ours = Annotated[Project, Depends(project_of)]


def admit(request: Request, response: Response, project: Ours) -> None:
    """Let a caller in who has the right that the route declares; raises AccessError.

    Reads cookies or an API token; a browser must show, too, that its page is ours.
    """
    declared: dict[str, str] = getattr(request.scope["route"], "openapi_extra", None) or {}
    request.state.caller = _NOBODY
    if declared.get("x-right") == "none":
        _count(request, response, address_of(request))
        _refuse_strangers(request)
        return
    try:
        caller = _caller(request, project)
    except AccessError:
        _count(request, response, address_of(request))
        raise
    _count(request, response, f"user {caller.user_id}")  # whichever of many tokens it comes with
    try:
        caller.require(Right(declared["x-right"]))
    except AccessError:
        # The operation, not the address: that may name a person, and the log outlives erasure.
        log = project.access.audit
        request.app.state.refusals.note(log, caller, declared["x-operation"])
        raise
    request.state.caller = caller


def caller_of(request: Request) -> Caller:
    """Return who asks."""
    found: Caller = request.state.caller
    return found


Asking = Annotated[Caller, Depends(caller_of)]


def stay(request: Request, project: Project) -> None:
    """Raise AccessError where who was let in would be no more, or with fewer rights."""
    now = _caller(request, project)
    for right in caller_of(request).rights - now.rights:
        now.require(right)


def csrf_token(session: str) -> str:
    """Return what our own pages send beside the cookie; other pages cannot read it."""
    return digest(f"csrf:{session}")


def page_token(session: str) -> str:
    """Return the token for the forms of one page: no other page has the same."""
    return f"{csrf_token(session)}.{secrets.token_urlsafe(6)}"


def address_of(request: Request) -> str:
    """Return the address that a request came from."""
    return request.client.host if request.client else ""


def is_secure(request: Request) -> bool:
    """Tell whether the browser reached us over TLS."""
    return request.url.scheme == "https"


def _count(request: Request, response: Response, whose: str) -> None:
    """Count a request of a caller, or of an address whose proof is none: any can be made up."""
    response.headers.update(request.app.state.pace.take(whose).headers)


def _caller(request: Request, project: Project) -> Caller:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and secret:
        return project.access.tokens.caller(secret.strip(), address=address_of(request))
    session = request.cookies.get(SECURE_COOKIE if is_secure(request) else COOKIE)
    if not session:
        raise signed_out()
    caller = project.access.sessions.caller(session, address=address_of(request))
    if request.method not in _SAFE_METHODS:
        _refuse_strangers(request)
        if _csrf_of(request) != csrf_token(session):
            raise _forged("The request lacks the token of our own pages.")
    return caller


def _csrf_of(request: Request) -> str:
    """Return the token that a script sent in a header, or a form of our pages in a field."""
    in_form: str = getattr(request.state, "csrf", "").partition(".")[0]
    return request.headers.get(CSRF_HEADER, in_form)


def _refuse_strangers(request: Request) -> None:
    """Refuse what another site's page made a browser send."""
    if request.method in _SAFE_METHODS:
        return
    origin = request.headers.get("origin")
    ours = f"{request.url.scheme}://{request.headers.get('host', '')}"
    site = request.headers.get("sec-fetch-site", "none")
    if (origin and origin != ours) or site not in {"none", "same-origin"}:
        raise _forged("The request came from another site's page.")


def _forged(text: str) -> AccessError:
    return AccessError(
        "CSRF_WRONG", text, mend=f"Send the header {CSRF_HEADER} as GET /api/v1/session tells it."
    )
