"""The cookie that holds a browser's session."""

from fastapi import Response

from rowlift.operations.signing_in import LONGEST_SECONDS
from rowlift.web.rights import COOKIE, SECURE_COOKIE


def keep_session(response: Response, secret: str, *, secure: bool) -> None:
    """Let the browser keep a session, out of reach of scripts and of other sites."""
    response.set_cookie(
        SECURE_COOKIE if secure else COOKIE,
        secret,
        max_age=LONGEST_SECONDS,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def forget_session(response: Response, *, secure: bool) -> None:
    """Let the browser forget its session."""
    response.delete_cookie(SECURE_COOKIE if secure else COOKIE, secure=secure, httponly=True)
