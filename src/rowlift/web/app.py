"""The application that `rowlift serve` serves."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rowlift.core.errors import RowliftError
from rowlift.core.rules import RULES, Rule
from rowlift.core.version import VERSION
from rowlift.operations.refusing import Refusals
from rowlift.web import metrics
from rowlift.web.api import (
    alerts,
    audiences,
    audit,
    conditions,
    connections,
    definitions,
    drafts,
    exports,
    glance,
    messages,
    objects,
    oidc,
    people,
    plans,
    queries,
    runs,
    samples,
    segments,
    service,
    session,
    suppressions,
    syncs,
    tokens,
    upkeep,
    users,
    verifications,
    watch,
)
from rowlift.web.bodies import sound
from rowlift.web.names import meant
from rowlift.web.office import Office
from rowlift.web.over import over
from rowlift.web.pace import Pace
from rowlift.web.pages.app import pages
from rowlift.web.problems import MEDIA_TYPE, Problem, astray, broken, gone, refused, unreadable
from rowlift.web.queries import Seats
from rowlift.web.rights import admit, door
from rowlift.web.samples import KeptSamples
from rowlift.web.shell import LOOPBACK, Shell
from rowlift.web.streams import Listeners
from rowlift.web.tracing import Traced
from rowlift.web.twice import Once
from rowlift.web.typed import TypedSecrets

PREFIX = "/api/v1"
FOR_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")
TESTS_PER_MINUTE = 10
HEARTBEAT_SECONDS = 15  # proxies close what says nothing for a minute

log = logging.getLogger("rowlift.web")

_ROUTERS = (
    session,
    oidc,
    users,
    tokens,
    audiences,
    conditions,
    audit,
    glance,
    samples,
    definitions,
    drafts,
    connections,
    queries,
    syncs,
    runs,
    service,
    messages,
    people,
    objects,
    segments,
    suppressions,
    exports,
    upkeep,
    watch,
    alerts,
    plans,
    verifications,
)
_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}
_PROBLEMS: Mapping[int | str, dict[str, Any]] = {
    number: {"description": text, "content": {MEDIA_TYPE: _PROBLEM}}
    for number, text in {
        "4XX": "Refused, with a code and a way to mend it.",
        "5XX": "It failed here, or at a source or destination.",
    }.items()
}

about = APIRouter(tags=["about"])


@about.get("/openapi.json", **door("openapi", None))
def openapi(request: Request) -> dict[str, Any]:
    """Return this description of the API."""
    return described(request.app)


@about.get("/problems/{code}", **door("rule", None))
def rule(code: str) -> Rule:
    """Explain a code that a problem named."""
    if code not in RULES:
        raise HTTPException(404, f"There is no code {code[:100]!r}.")
    return RULES[code]


async def healthy(_request: Request) -> Response:
    """Tell that the process answers."""
    return PlainTextResponse("ok\n")


def ready(request: Request) -> Response:
    """Tell that the project is read, its state reached, its disk not full, its schedules run."""
    request.app.state.office.project().watch.ready()
    return PlainTextResponse("ok\n")


def described(app: FastAPI) -> dict[str, Any]:
    """Return the description of the API, with our problems in place of FastAPI's."""
    document = app.openapi()
    schemas = document["components"]["schemas"]
    schemas["Problem"] = TypeAdapter(Problem).json_schema(mode="serialization")
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("422", None)
    return document


def api(office: Office) -> FastAPI:
    """Return the JSON API without what surrounds every request."""
    app = over(_routes(), State())
    app.state.office = office
    app.state.pace = Pace()
    app.state.refusals = Refusals()
    app.state.board = metrics.Board()
    app.state.tests = Pace(TESTS_PER_MINUTE)
    app.state.listeners = Listeners()
    app.state.seats = Seats()
    app.state.typed = TypedSecrets()
    app.state.samples = KeptSamples()
    app.state.heartbeat_seconds = HEARTBEAT_SECONDS
    return app


@cache
def _routes() -> FastAPI:
    app = FastAPI(
        title="Rowlift",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(meant), Depends(admit), Depends(sound)],
        responses=dict(_PROBLEMS),
        redirect_slashes=False,
        lifespan=_open,
    )
    for part in _ROUTERS:
        app.include_router(part.router, prefix=PREFIX)
    app.include_router(about, prefix=PREFIX)
    app.include_router(metrics.router, prefix=PREFIX)
    app.include_router(metrics.router, include_in_schema=False)
    app.add_route("/healthz", healthy, include_in_schema=False)
    app.add_route("/readyz", ready, include_in_schema=False)
    app.add_exception_handler(RowliftError, refused)
    app.add_exception_handler(RequestValidationError, unreadable)
    app.add_exception_handler(HTTPException, astray)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(Exception, broken)
    return app


@asynccontextmanager
async def _open(app: FastAPI) -> AsyncIterator[None]:
    settling = asyncio.create_task(_settling(app.state))
    yield
    settling.cancel()
    await asyncio.to_thread(_settle, app.state, early=True)
    app.state.office.close()


async def _settling(state: State) -> None:
    while True:
        await asyncio.sleep(state.refusals.together_seconds / 12)
        await asyncio.to_thread(_settle, state)


def _settle(state: State, *, early: bool = False) -> None:
    """Write down which refusals came again; what cannot be written waits for the next time.

    The documented boundary at which any exception ends: one must not keep others from the log.
    """
    if not state.office.is_open:
        return
    try:
        state.refusals.settle(state.office.project().access.audit, early=early)
    except RowliftError as error:
        log.warning("Refused requests wait to be written down: %s", error)
    except Exception as error:
        log.exception("Refused requests wait to be written down", exc_info=error)


class Doors:
    """Messages of SDKs go to the ingest API, programs to the JSON API, browsers to pages."""

    def __init__(self, ours: ASGIApp, shown: ASGIApp, ingest: ASGIApp | None) -> None:
        self._ours = ours
        self._shown = shown
        self._ingest = ingest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._behind(scope)(scope, receive, send)

    def _behind(self, scope: Scope) -> ASGIApp:
        if scope["type"] != "http" or scope["path"].startswith(FOR_PROGRAMS):
            return self._ours
        if self._ingest and scope["path"].startswith("/v1/"):
            return self._ingest
        return self._shown


def application(
    office: Office, ingest: ASGIApp | None = None, hosts: Collection[str] = LOOPBACK
) -> ASGIApp:
    """Return everything that is served over HTTP for one project."""
    ours = api(office)
    return Shell(Traced(Doors(ours, Once(pages(ours.state)), ingest)), hosts)
