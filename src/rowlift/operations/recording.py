"""What is kept of the requests to a destination while they are sent.

Of hundreds in a second a few are kept, so that looking costs the sending nothing.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Self

from rowlift.core.errors import StateError
from rowlift.kit.exchange import NoReply, Passed, Reply
from rowlift.kit.masks import Cover
from rowlift.state.exchanges import Exchange, ExchangeStore

EVERY_SECONDS = 1.0
AT_ONCE = 5  # of those that were answered well, and as many others, in each of these seconds
_WELL = range(200, 300)


class Recorder:
    """Keeps the newest requests to one destination, with one commit a second at most.

    What cannot be kept is left out: no delivery fails for it.
    """

    def __init__(
        self,
        store: ExchangeStore,
        workspace_id: int,
        destination_uid: str,
        sync_uid: str,
        *,
        is_on: bool = True,
    ) -> None:
        self._keep = partial(store.keep, workspace_id, destination_uid)
        self._sync_uid = sync_uid
        self._is_on = is_on
        self._lock = threading.Lock()
        self._next_at = 0.0
        self._well: deque[tuple[Cover, Passed]] = deque(maxlen=AT_ONCE)
        self._badly: deque[tuple[Cover, Passed]] = deque(maxlen=AT_ONCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._write(self._taken())

    def hiding(self, cover: Cover) -> Callable[[Passed], None]:
        """Return what is shown each request of a client; the cover hides its secrets."""
        return partial(self._note, cover)

    def _note(self, cover: Cover, passed: Passed) -> None:
        if not self._is_on:
            return
        with self._lock:
            status = 0 if isinstance(passed.answer, NoReply) else passed.answer.status
            (self._well if status in _WELL else self._badly).append((cover, passed))
            now = time.monotonic()
            if now < self._next_at:
                return
            self._next_at = now + EVERY_SECONDS
        self._write(self._taken())

    def _taken(self) -> list[tuple[Cover, Passed]]:
        with self._lock:
            taken = sorted((*self._well, *self._badly), key=lambda one: one[1].at)
            self._well.clear()
            self._badly.clear()
        return taken

    def _write(self, taken: list[tuple[Cover, Passed]]) -> None:
        if taken:
            with suppress(StateError):
                self._keep([_exchange(self._sync_uid, *one) for one in taken])


class Witness:
    """Sees every request of a client that sends a test, and keeps none by itself."""

    def __init__(self, sync_uid: str) -> None:
        self.seen: list[Exchange] = []
        self._sync_uid = sync_uid

    def hiding(self, cover: Cover) -> Callable[[Passed], None]:
        """Return what is shown each request of a client; the cover hides its secrets."""
        return lambda passed: self.seen.append(_exchange(self._sync_uid, cover, passed))


def _exchange(sync_uid: str, general: Cover, passed: Passed) -> Exchange:
    cover, answer = general.of(passed), passed.answer
    given = {name.lower(): value for name, value in passed.headers.items()}
    status, reply_headers, text = _answered(cover, answer)
    return Exchange(
        sync_uid, passed.at, passed.seconds, passed.method, cover.url(passed),
        cover.headers(passed.headers), cover.body(passed.body, given.get("content-encoding", "")),
        len(passed.body), status, reply_headers, text,
    )  # fmt: skip


def _answered(cover: Cover, answer: Reply | NoReply) -> tuple[int | None, Mapping[str, str], str]:
    if isinstance(answer, NoReply):
        return None, {}, answer.reason
    return answer.status, cover.headers(answer.headers), cover.body(answer.body)
