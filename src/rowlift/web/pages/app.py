"""The application that answers with pages: what `rowlift serve` shows in a browser."""

from functools import cache

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from rowlift.core.errors import RowliftError
from rowlift.web.names import meant
from rowlift.web.over import over
from rowlift.web.pages import (
    audiences,
    building,
    channel_form,
    channels,
    codes,
    connecting,
    connections,
    drafts,
    entrance,
    finding,
    keys,
    look,
    members,
    mending,
    objects,
    overview,
    people,
    plans,
    queries,
    runs,
    segments,
    settings,
    suppressed,
    syncs,
    trouble,
    verifications,
    versions,
    welcome,
)
from rowlift.web.pages.assets import Assets
from rowlift.web.pages.forms import sent_by_ours
from rowlift.web.problems import gone
from rowlift.web.rights import admit

_ROUTERS = (
    entrance, overview, drafts, syncs, mending, plans, versions, runs, people, finding, objects,
    segments, audiences, building, suppressed, queries, codes, connections, connecting, welcome,
    settings, members, keys, channels, channel_form, verifications, look,
)  # fmt: skip


def pages(state: State) -> FastAPI:
    """Return the pages over the project that the API's state holds."""
    return over(_routes(), state)


@cache
def _routes() -> FastAPI:
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(meant), Depends(sent_by_ours), Depends(admit)],
        redirect_slashes=False,
    )
    for part in _ROUTERS:
        app.include_router(part.router)
    app.mount("/static", Assets())
    app.add_exception_handler(RowliftError, trouble.refused)
    app.add_exception_handler(RequestValidationError, trouble.unreadable)
    app.add_exception_handler(HTTPException, trouble.astray)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(Exception, trouble.broken)
    return app
