"""Group commit: requests that come while one commit is under way share the next one."""

import asyncio
from collections.abc import Callable, Sequence

from rowlift.state.intake import Accepted
from rowlift.web.ingest.calls import Refused

MOST_BYTES = 64 << 20  # of bodies that are not durable yet


class Spool:
    """Makes requests durable before they are answered."""

    def __init__(
        self, accept: Callable[[Sequence[Accepted]], None], on_accepted: Callable[[], None]
    ) -> None:
        self._accept = accept
        self._on_accepted = on_accepted
        self._waiting: list[tuple[Accepted, asyncio.Future[None]]] = []
        self._bytes = 0
        self._writing: asyncio.Task[None] | None = None

    async def put(self, request: Accepted) -> None:
        """Return when a request is durable; raises Refused where too many wait, and StateError."""
        if self._bytes + len(request.body) > MOST_BYTES:
            raise Refused(429, "too_many_requests", "Too many requests at once.", retry_after=1)
        durable = asyncio.get_running_loop().create_future()
        self._waiting.append((request, durable))
        self._bytes += len(request.body)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await durable

    async def _write(self) -> None:
        while self._waiting:
            together, self._waiting = self._waiting, []
            requests = [request for request, _ in together]
            (failure,) = await asyncio.gather(
                asyncio.to_thread(self._accept, requests), return_exceptions=True
            )
            self._bytes -= sum(len(request.body) for request in requests)
            for _, durable in together:
                if durable.done():  # its sender went away
                    continue
                if isinstance(failure, BaseException):
                    durable.set_exception(failure)
                else:
                    durable.set_result(None)
            self._on_accepted()
