"""What went wrong, as a page: what it is, by its code, and how to mend it."""

from contextlib import suppress
from urllib.parse import quote

from fastapi import Request
from starlette.responses import HTMLResponse, Response

from rowlift.core.errors import RowliftError
from rowlift.web import problems
from rowlift.web.pages.forms import onward
from rowlift.web.pages.render import Frame, bare, text, wants_json
from rowlift.web.problems import Problem
from rowlift.web.rights import project_of

_SIGNED_OUT, _LOST = 401, 404


def refused(request: Request, error: Exception) -> Response:
    """Answer with what an operation raised; who is not signed in is led to where one does."""
    answer = problems.refused(request, error)
    assert isinstance(error, RowliftError)  # noqa: S101 - registered for it only
    if wants_json(request):
        return answer
    if answer.status_code == _SIGNED_OUT:
        return _to_entrance(request)
    page = _page(request, problems.problem_for(request, error))
    if wait := answer.headers.get("retry-after"):
        page.headers["Retry-After"] = wait
    return page


def unreadable(request: Request, error: Exception) -> Response:
    """Answer with what is wrong about a request's values."""
    return _told(request, problems.wrong_values(error))


def astray(request: Request, error: Exception) -> Response:
    """Answer where there is no page."""
    return _told(request, problems.nowhere(error))


def broken(request: Request, error: Exception) -> Response:
    """Answer where nobody foresaw the failure."""
    return _told(request, problems.unforeseen(error))


def _told(request: Request, found: Problem) -> Response:
    return problems.answer(found) if wants_json(request) else _page(request, found)


def _page(request: Request, found: Problem) -> Response:
    """Say it within the frame of all pages to who is signed in and only went astray."""
    if found.status == _LOST and getattr(request.state, "caller", None):
        with suppress(RowliftError):
            lost = text("lost.html", problem=found, page=None, frame=Frame.of(request), wrong=None)
            return HTMLResponse(lost, found.status)
    return bare(request, "problem.html", found.status, problem=found)


def _to_entrance(request: Request) -> Response:
    """Lead to signing in, and from there back; before there is anybody, to the first admin's."""
    if not project_of(request).access.accounts.is_set_up:
        return onward("/setup")
    wanted = request.url.path if request.method == "GET" else "/"
    if request.method == "GET" and request.url.query:
        wanted += f"?{request.url.query}"
    to = "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='')}"
    return onward(to)
