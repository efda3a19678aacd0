"""Forms of our own pages: each brings the token that other pages cannot read."""

from typing import Annotated

from fastapi import Form, Query, Request
from starlette.responses import RedirectResponse

FIELD = "csrf"
SEE_OTHER = 303

Text = Annotated[str, Form(max_length=1000)]
Failed = Annotated[bool, Query()]
NO = False
Way = Annotated[str, Form(max_length=2000)]

_FORM = "application/x-www-form-urlencoded"


async def sent_by_ours(request: Request) -> None:
    """Let the token of a form count as the header that scripts send."""
    if request.method == "POST" and request.headers.get("content-type", "").startswith(_FORM):
        sent = (await request.form()).get(FIELD)
        request.state.csrf = sent if isinstance(sent, str) else ""


def onward(path: str) -> RedirectResponse:
    """Lead the browser to the page after a form."""
    return RedirectResponse(path, SEE_OTHER)
