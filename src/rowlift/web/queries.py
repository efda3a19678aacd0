"""Requests that ask a source: how many go on at once, and what ends when nobody waits for them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from threading import Lock

from fastapi import Depends, Request
from starlette.types import Receive

from rowlift.core.errors import Throttled
from rowlift.operations.asking import Asker
from rowlift.web.rights import Asking

AT_ONCE = 8  # each takes a thread of the server, which has forty
AT_ONCE_EACH = 2
_AGAIN_SECONDS = 5
_STOP_SECONDS = 0.5


class Seats:
    """Places for requests that ask a source, of which one user has a few."""

    def __init__(self, most: int = AT_ONCE, most_each: int = AT_ONCE_EACH) -> None:
        self._most = most
        self._most_each = most_each
        self._lock = Lock()
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken(self, whose: str) -> Iterator[None]:
        """Hold a place; raises Throttled TOO_MANY_QUERIES, and QUERIES_FULL where none is left."""
        with self._lock:
            if self._taken[whose] >= self._most_each:
                text = f"{self._most_each} previews, plans or checks of yours go on already."
                raise Throttled("TOO_MANY_QUERIES", text, _AGAIN_SECONDS)
            if self._taken.total() >= self._most:
                text = f"{self._most} previews, plans or checks go on already."
                raise Throttled("QUERIES_FULL", text, _AGAIN_SECONDS)
            self._taken[whose] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[whose] -= 1
                self._taken += Counter()  # who has none is forgotten


async def asking(request: Request, caller: Asking) -> AsyncIterator[None]:
    """Hold a place as long as a request goes on; its queries end when its client goes away."""
    with request.app.state.seats.taken(str(caller.user_id or caller.name)):
        with suppress(RuntimeError):  # that of a form was read when it was taken apart
            await request.body()  # what is received after it is the client's leaving
        asker = Asker()
        watch = asyncio.create_task(_let_leave(request.receive, asker))
        try:
            with asker.asking():
                yield
        finally:
            watch.cancel()


ASKING = [Depends(asking)]


async def _let_leave(receive: Receive, asker: Asker) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    while True:  # a query may begin in the moment between two others
        await asyncio.to_thread(asker.leave)
        await asyncio.sleep(_STOP_SECONDS)
