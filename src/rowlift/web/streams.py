"""How events are sent while something goes on, and to how many."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

from sse_starlette import ServerSentEvent

from rowlift.core.errors import AccessError, StateError, Throttled
from rowlift.operations.callers import Caller

LOOK_SECONDS = 0.5
LONGEST_SECONDS = 900.0  # then a browser asks again
AT_ONCE = 20  # of one user, with all tokens


class Listeners:
    """Who has how many streams of events open."""

    def __init__(self, most: int = AT_ONCE) -> None:
        self._most = most
        self._open: Counter[int | None] = Counter()

    def refuse_more(self, caller: Caller) -> None:
        """Raise Throttled TOO_MANY_REQUESTS where a user has as many streams as one may."""
        if self._open[caller.user_id] >= self._most:
            text = f"More than {self._most} streams of events at once."
            raise Throttled("TOO_MANY_REQUESTS", text, seconds=10)

    async def heard(
        self, caller: Caller, events: AsyncIterator[ServerSentEvent], stay: Callable[[], None]
    ) -> AsyncIterator[ServerSentEvent]:
        """Pass events on until `stay` raises AccessError, or the state is away.

        The stream is counted as long as it lasts; a browser comes back by itself.
        """
        self._open[caller.user_id] += 1
        try:
            async for event in events:
                await asyncio.to_thread(stay)
                yield event
        except (AccessError, StateError):
            return
        finally:
            self._open[caller.user_id] -= 1
