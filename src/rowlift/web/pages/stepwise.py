"""Answers that tell what is found while it is looked for, to who listens for that."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from fastapi import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from rowlift.core.nouns import Finding
from rowlift.web.pages.render import text

MEDIA_TYPE = "application/x-ndjson"

Step = TypeVar("Step")
Hear = Callable[[Finding | str], object]  # what is found, or in words how far it is


def stepwise(request: Request, work: Callable[[Hear], Response]) -> Response:
    """Do some work and answer with what it returns, or finding by finding where that is asked for.

    The lines are those of `told_early`, each step a finding of a test.
    """
    return told_early(request, work, lambda one: text("connect_step.html", finding=one))


def told_early(
    request: Request,
    work: Callable[[Callable[[Step], None]], Response],
    draw: Callable[[Step], str],
) -> Response:
    """Do some work and answer with what it returns, or line by line where that is asked for.

    Each line is a JSON object: {"step": HTML}, drawn of what is found as soon as it is, {"far":
    text}, a text that tells how far it is, and at the end {"to": path} or {"page": HTML}, which is
    what everybody else is answered with.
    """
    if MEDIA_TYPE not in request.headers.get("accept", ""):
        return work(lambda _: None)
    return _Told(work, draw)


class _Told(StreamingResponse):
    """Lines that are sent as they come; it ends no sooner than the work that tells them.

    Until then somebody watches whether anybody still listens, and stops its queries if not.
    """

    def __init__(self, work: Callable[..., Response], draw: Callable[[Any], str]) -> None:
        # A proxy that gathers answers would tell every step at the end.
        headers = {"X-Accel-Buffering": "no"}
        super().__init__(self._lines(), media_type=MEDIA_TYPE, headers=headers)
        self._work = work
        self._draw = draw
        self._told: asyncio.Queue[str | None] = asyncio.Queue()
        self._answer: asyncio.Future[Response] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()

        def hear(one: Any) -> None:
            line = _line("far", one) if isinstance(one, str) else _line("step", self._draw(one))
            loop.call_soon_threadsafe(self._told.put_nowait, line)

        self._answer = answer = asyncio.ensure_future(asyncio.to_thread(self._work, hear))
        answer.add_done_callback(lambda _: self._told.put_nowait(None))
        try:
            await super().__call__(scope, receive, send)
        finally:
            await asyncio.wait({answer})
            answer.exception()  # nobody is left to hear of it

    async def _lines(self) -> AsyncIterator[str]:
        while (line := await self._told.get()) is not None:
            yield line
        assert self._answer  # noqa: S101 - it is called once the work has begun
        answer = await self._answer
        if to := answer.headers.get("location"):
            yield _line("to", to)
        else:
            yield _line("page", bytes(answer.body).decode())


def _line(what: str, told: str) -> str:
    return json.dumps({what: told}) + "\n"
