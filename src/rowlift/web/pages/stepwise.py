"""Answers that tell what is found while it is looked for, to who listens for that."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from rowlift.operations.connecting import Hear
from rowlift.web.pages.render import text

if TYPE_CHECKING:
    from rowlift.core.nouns import Finding

MEDIA_TYPE = "application/x-ndjson"

Work = Callable[[Hear], Response]


def stepwise(request: Request, work: Work) -> Response:
    """Do some work and answer with what it returns, or line by line where that is asked for.

    Each line is a JSON object: {"step": HTML} as something is found, and at the end {"to": path}
    or {"page": HTML}, which is what everybody else is answered with.
    """
    if MEDIA_TYPE not in request.headers.get("accept", ""):
        return work(lambda _: None)
    # A proxy that gathers answers would tell every step at the end.
    return StreamingResponse(
        _lines(work), media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"}
    )


async def _lines(work: Work) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[Finding | None] = asyncio.Queue()
    done = asyncio.ensure_future(
        asyncio.to_thread(work, lambda one: loop.call_soon_threadsafe(told.put_nowait, one))
    )
    done.add_done_callback(lambda _: told.put_nowait(None))
    while (one := await told.get()) is not None:
        yield _line("step", text("connect_step.html", finding=one))
    answer = await done
    if to := answer.headers.get("location"):
        yield _line("to", to)
    else:
        yield _line("page", bytes(answer.body).decode())


def _line(what: str, told: str) -> str:
    return json.dumps({what: told}) + "\n"
