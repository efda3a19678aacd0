"""Coming in and going out: the first admin, signing in, signing out."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from rowlift.core.errors import RowliftError
from rowlift.core.rights import Right
from rowlift.operations.single_sign_on import is_own_path
from rowlift.web.cookies import forget_session, keep_session
from rowlift.web.pages.forms import Text, Way, onward
from rowlift.web.pages.render import SAID, bare
from rowlift.web.problems import problem
from rowlift.web.rights import Asking, Ours, address_of, door, is_secure

router = APIRouter()

Next = Annotated[str, Query(max_length=2000)]


@router.get("/setup", **door("access.accounts.set_up", None))
def before_set_up(
    request: Request, project: Ours, code: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """Ask for the one-time code and the first admin."""
    if project.access.accounts.is_set_up:
        return onward("/login")
    return bare(request, "setup.html", code=code, email="", problem=None)


@router.post("/setup", **door("access.accounts.set_up", None))
def set_up(
    request: Request, project: Ours, code: Text = "", email: Text = "", password: Text = ""
) -> Response:
    """Make the first admin, who is signed in with it."""
    access, address = project.access, address_of(request)
    try:
        access.accounts.set_up(code, email, password, address=address)
    except RowliftError as error:
        wrong = problem(error)
        return bare(request, "setup.html", wrong.status, code=code, email=email, problem=wrong)
    return _signed_in(request, access.sessions.login(email, password, address=address), "/")


@router.get("/join", **door("access.accounts.accept", None))
def before_joining(request: Request, code: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Ask who was invited for a password."""
    return bare(request, "join.html", code=code, problem=None)


@router.post("/join", **door("access.accounts.accept", None))
def join(request: Request, project: Ours, code: Text = "", password: Text = "") -> Response:
    """Keep the password of somebody who was invited, and sign them in."""
    access, address = project.access, address_of(request)
    try:
        user = access.accounts.accept(code, password, address=address)
        secret = access.sessions.login(user.email, password, address=address)
    except RowliftError as error:
        wrong = problem(error)
        return bare(request, "join.html", wrong.status, code=code, problem=wrong)
    return _signed_in(request, secret, "/")


@router.get("/login", **door("access.sessions.login", None))
def before_login(
    request: Request, project: Ours, next: Next = "/", said: Next = ""  # noqa: A002
) -> Response:  # fmt: skip
    """Ask who is there."""
    if not project.access.accounts.is_set_up:
        return onward("/setup")
    return _asked(request, project, next, said=SAID.get(said, ""))


@router.post("/login", **door("access.sessions.login", None))
def login(
    request: Request, project: Ours, email: Text = "", password: Text = "", next: Way = "/"  # noqa: A002
) -> Response:  # fmt: skip
    """Sign in, and go on to the page that was asked for."""
    try:
        secret = project.access.sessions.login(email, password, address=address_of(request))
    except RowliftError as error:
        return _asked(request, project, next, email=email, error=error)
    return _signed_in(request, secret, next)


@router.post("/logout", **door("access.single_sign_on.logout", Right.READ))
def logout(request: Request, project: Ours, caller: Asking) -> Response:
    """Sign out here; at the issuer, too, if one follows the link."""
    here = f"{request.url.scheme}://{request.headers['host']}/"
    elsewhere = project.access.single_sign_on.logout(caller, here)
    if elsewhere:
        answer = bare(request, "signed_out.html", url=elsewhere)
    else:
        answer = onward("/login?said=signed-out")
    forget_session(answer, secure=is_secure(request))
    return answer


def _asked(
    request: Request,
    project: Ours,
    after: str,
    *,
    said: str = "",
    email: str = "",
    error: RowliftError | None = None,
) -> Response:
    wrong = problem(error) if error else None
    return bare(
        request, "login.html", wrong.status if wrong else 200, problem=wrong, said=said,
        email=email, after=after, ways=project.access.single_sign_on.ways(),
    )  # fmt: skip


def _signed_in(request: Request, secret: str, after: str) -> Response:
    answer = onward(after if is_own_path(after) else "/")
    keep_session(answer, secret, secure=is_secure(request))
    return answer
