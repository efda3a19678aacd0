"""The application that takes messages in: it answers when they are durable, and judges later."""

import asyncio
import time
from collections.abc import Callable, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rowlift.core.errors import StateError
from rowlift.operations.ingesting import Ingest
from rowlift.state.intake import Accepted
from rowlift.state.keys import hashed
from rowlift.web.ingest.calls import REFUSED, Refused, call, received, type_of
from rowlift.web.ingest.spool import Spool
from rowlift.web.problems import unforeseen

MOST_WAITING = 2 << 30  # bytes of accepted requests that are not written yet
_LOOK_SECONDS = 5.0
_KEYS_SECONDS = 10.0  # until a revoked key is refused
_NEW_KEY_SECONDS = 1.0  # until a key that was just made is known

# Browsers send from any page; a write key is no secret there, and nothing can be read with it.
_CORS = {"access-control-allow-origin": "*"}
_PREFLIGHT = _CORS | {
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "authorization, content-type, content-encoding, x-retry-count",
    "access-control-max-age": "86400",
}


def application(ingest: Ingest, on_accepted: Callable[[], None] = lambda: None) -> Starlette:
    """Return the application; `on_accepted` is called when requests wait to be written."""
    door = _Door(ingest, on_accepted)
    return Starlette(
        routes=[
            Route("/v1/{call}", door.take, methods=["POST"]),
            Route("/v1/{call}", _preflight, methods=["OPTIONS"]),
        ],
        exception_handlers={HTTPException: _astray},
    )


async def _preflight(_: Request) -> Response:
    return Response(status_code=204, headers=_PREFLIGHT)


async def _astray(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it only
    code = error.detail.lower().replace(" ", "_")
    refusal = _refusal(Refused(error.status_code, code, "Messages are posted to /v1/TYPE."))
    refusal.headers.update(error.headers or {})
    return refusal


class _Door:
    """Answers requests, with what it remembers between them."""

    def __init__(self, ingest: Ingest, on_accepted: Callable[[], None]) -> None:
        self._spool = Spool(ingest.accept, on_accepted)
        self._keys = _Keys(ingest.workspaces)
        self._backlog = _Backlog(ingest.waiting_bytes)

    async def take(self, request: Request) -> Response:
        """Take messages in; where nobody foresaw the failure, the sender may send them again.

        The documented boundary at which any exception ends.
        """
        try:
            await self._take(request)
        except Refused as refused:
            return _refusal(refused)
        except StateError as error:
            return _refusal(Refused(503, error.code.lower(), "Try again later.", retry_after=5))
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001
            found = unforeseen(error)
            told = f"{found.detail} {found.reference}".strip()
            return _refusal(Refused(found.status, found.code.lower(), told))
        return JSONResponse({"success": True}, headers=_CORS)

    async def _take(self, request: Request) -> None:
        received_at = time.time()
        type_ = type_of(request.path_params["call"])
        if type_ is None:
            raise Refused(404, "not_found", "There is no such call.")
        asked = call(type_, await received(request.stream(), request.headers), request.headers)
        workspace_id = await self._keys.workspace(asked.write_key)
        await self._backlog.refuse_full()
        await self._spool.put(Accepted(workspace_id, asked.type, received_at, asked.body))


def _refusal(refused: Refused) -> Response:
    REFUSED[refused.code] += 1
    headers = dict(_CORS)
    if refused.retry_after:
        seconds = str(refused.retry_after)
        headers |= {"retry-after": seconds, "x-ratelimit-reset": seconds}
    told = {"success": False, "code": refused.code, "message": refused.message}
    return JSONResponse(told, refused.status, headers)


class _Keys:
    """The keys that are accepted, looked up again from time to time."""

    def __init__(self, workspaces: Callable[[], Mapping[str, int]]) -> None:
        self._look_up = workspaces
        self._known: Mapping[str, int] = {}
        self._looked_at = float("-inf")

    async def workspace(self, write_key: str) -> int:
        """Return the workspace of a key; raises Refused."""
        name = hashed(write_key)
        age = time.monotonic() - self._looked_at
        if age > (_KEYS_SECONDS if name in self._known else _NEW_KEY_SECONDS):
            self._known = await asyncio.to_thread(self._look_up)
            self._looked_at = time.monotonic()
        if name not in self._known:
            raise Refused(401, "invalid_write_key", "The write key is not known here.")
        return self._known[name]


class _Backlog:
    """How much waits to be written."""

    def __init__(self, waiting_bytes: Callable[[], int]) -> None:
        self._measure = waiting_bytes
        self._bytes = 0
        self._looked_at = float("-inf")

    async def refuse_full(self) -> None:
        """Raise Refused while more waits than is kept."""
        if time.monotonic() - self._looked_at > _LOOK_SECONDS:
            self._looked_at = time.monotonic()
            self._bytes = await asyncio.to_thread(self._measure)
        if self._bytes > MOST_WAITING:
            raise Refused(429, "too_many_requests", "Too much waits to be written.", retry_after=30)
