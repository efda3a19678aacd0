"""Errors as RFC 9457 problems, under the codes that every door uses."""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from rowlift.core.errors import (
    AccessError,
    Busy,
    ConfigError,
    ConnectError,
    GuardStop,
    RowliftError,
    SourceError,
    StateError,
    Throttled,
    is_passing,
    unexpected,
)
from rowlift.core.rights import Right
from rowlift.core.rules import RULES
from rowlift.operations.discretion import may_quote
from rowlift.operations.testing import UNREACHED
from rowlift.project.problems import ProjectInvalid
from rowlift.web.bodies import no_json, reason

MEDIA_TYPE = "application/problem+json"
_AGAIN_SECONDS = 5

log = logging.getLogger("rowlift.web")

_BY_CODE = {
    "BODY_TOO_LARGE": 413,
    "CHANNEL_FAILED": 502,
    "COLUMN_UNKNOWN": 422,
    "CSRF_WRONG": 403,
    "CURSOR_WRONG": 422,
    "EDIT_CONFLICT": 412,
    "HOST_REFUSED": 421,
    "ISSUER_UNREACHABLE": 502,
    "LOCAL_LOGIN_OFF": 403,
    "LOGIN_REFUSED": 403,
    "LOGIN_THROTTLED": 429,
    "LOGIN_WRONG": 401,
    "METHOD_NOT_ALLOWED": 405,
    "NAME_UNKNOWN": 404,
    "NOT_FOUND": 404,
    "PASSWORD_WEAK": 422,
    "RIGHT_MISSING": 403,
    "QUERIES_FULL": 503,
    "QUERY_SYNTAX": 422,
    "REQUEST_INVALID": 400,
    "SERVICE_DOWN": 503,
    "SIGNED_OUT": 401,
    "TABLE_UNKNOWN": 422,
    "TOKEN_WRONG": 401,
    "TOO_MANY_QUERIES": 429,
    "TOO_MANY_REQUESTS": 429,
    "VERSION_MISSING": 428,
}
_BY_CLASS: tuple[tuple[type[RowliftError], int], ...] = (
    (ConnectError, 502),
    (SourceError, 502),
    (Busy, 409),
    (GuardStop, 409),
    (AccessError, 409),
    (ConfigError, 422),
    (StateError, 503),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, by a stable code, and how to mend it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    mend: str = ""
    examples: tuple[str, ...] = ()
    reference: str = ""


def problem(error: RowliftError, *, values: bool = True) -> Problem:
    """Return an error as a problem; why a server cannot be reached is not told.

    Without `values` nothing is told that may quote a row.
    """
    title = RULES[error.code].title if error.code in RULES else error.code
    is_quiet, known = not values and may_quote(error.code), RULES.get(error.code)
    return Problem(
        type=f"/api/v1/problems/{error.code}",
        title=title,
        status=status(error),
        detail=title if is_quiet or error.code in UNREACHED else str(error.message),
        code=error.code,
        mend=(not is_quiet and error.mend) or (known.mend if known else ""),
        examples=() if is_quiet else _examples(error),
    )


def problem_for(request: Request, error: RowliftError) -> Problem:
    """Return an error as the problem that a caller may be told."""
    caller = getattr(request.state, "caller", None)
    return problem(error, values=caller is None or Right.VALUES in caller.rights)


def _examples(error: RowliftError) -> tuple[str, ...]:
    """Return what shows the problem: every single one, where a definition has several."""
    return tuple(map(str, error.problems)) if isinstance(error, ProjectInvalid) else error.examples


def status(error: RowliftError) -> int:
    """Return the HTTP status of an error."""
    by_class = (number for kind, number in _BY_CLASS if isinstance(error, kind))
    return _BY_CODE.get(error.code) or next(by_class, 500)


def contents(found: Problem) -> Mapping[str, Any]:
    """Return a problem as it is answered: members that say nothing are left out."""
    return {key: value for key, value in asdict(found).items() if value not in ("", ())}


def answer(found: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as a response."""
    return JSONResponse(contents(found), found.status, headers, media_type=MEDIA_TYPE)


def refused(request: Request, error: Exception) -> Response:
    """Answer with what an operation raised."""
    assert isinstance(error, RowliftError)  # noqa: S101 - registered for it only
    headers = {"WWW-Authenticate": "Bearer"} if status(error) == 401 else {}  # noqa: PLR2004
    if isinstance(error, Throttled):
        headers["Retry-After"] = str(error.seconds)
    elif is_passing(error):
        headers["Retry-After"] = str(_AGAIN_SECONDS)
    return answer(problem_for(request, error), headers)


def unreadable(_request: Request, error: Exception) -> Response:
    """Answer with what is wrong about a request's values."""
    return answer(wrong_values(error))


def wrong_values(error: Exception) -> Problem:
    """Return what is wrong about a request's values."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it only
    for one in error.errors():
        if one["type"] == "json_invalid":
            return problem(no_json(one["ctx"]["error"]))
    found = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    wrong = ConfigError(
        "VALUE_WRONG",
        "The request has values that are not allowed.",
        mend="Correct them as described.",
        examples=tuple(found[:20]),
    )
    return problem(wrong)


def astray(_request: Request, error: Exception) -> Response:
    """Answer where no route takes the request, or its body cannot be read at all."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it only
    if error.status_code == 400:  # noqa: PLR2004 - FastAPI says so of a body it cannot read
        why = reason(error.__cause__) if error.__cause__ else error.detail
        return answer(problem(no_json(why[:200])))
    return answer(nowhere(error), error.headers)


def nowhere(error: Exception) -> Problem:
    """Return that no route takes a request."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it only
    code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, "VALUE_WRONG")
    wrong = ConfigError(code, str(error.detail), mend="See /api/v1/openapi.json.")
    return replace(problem(wrong), status=error.status_code)


def broken(_request: Request, error: Exception) -> Response:
    """Answer where nobody foresaw the failure: a reference, and the rest in the log only."""
    return answer(unforeseen(error))


def gone(_request: Request, _error: Exception) -> Response:
    """Answer nobody: the client went away before all of its request was there."""
    return Response(status_code=400)


def unforeseen(error: Exception) -> Problem:
    """Return a failure of ours as a reference to the line of the log that says more."""
    found = problem(unexpected(error))
    if found.code != "INTERNAL":
        return found
    reference = secrets.token_hex(6)
    log.error("The server failed to answer: reference %s", reference, exc_info=error)
    return replace(found, detail="The server failed to answer.", reference=reference)
