"""A client's connection, kept for none who says nothing, or takes nothing of what it asked for."""

import asyncio
import json
import resource
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from rowlift.core.errors import ConfigError
from rowlift.web.problems import MEDIA_TYPE, contents, problem
from rowlift.web.shell import SAFE_HEADERS

PATIENCE_SECONDS = 30.0  # for a head, a body, and a reader that stands still; at most twice that
MOST = min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)


class Visit(H11Protocol):
    """One connection; where there are too many, the one that idles longest makes room."""

    patience: ClassVar[float]
    most: ClassVar[int]

    _since: float
    _looking: asyncio.TimerHandle
    _standstills = 0
    _stands = False
    _owed: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        self._looking = self.loop.call_later(self.patience, self._look)
        if len(self.connections) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._looking.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        self._stands = True
        self._standstills += 1
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stands = False
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Say that a request is none of HTTP's, unless an answer has begun already."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._refuse()
        self.transport.close()

    def _refuse(self) -> None:
        wrong = ConfigError("REQUEST_INVALID", "This is no request of HTTP/1.1.")
        body = json.dumps(contents(problem(wrong))).encode()
        told = SAFE_HEADERS | {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body))}
        headers = [*told.items(), ("Connection", "close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")

    @property
    def _is_idle(self) -> bool:
        # There is no cycle before the first request, whatever its annotation says.
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]

    def _look(self) -> None:
        """Close the connection where the client still owes what it did the last time."""
        owed = self._owing()
        if owed is not None and owed == self._owed:
            self.transport.abort()
            return
        self._owed = owed
        self._looking = self.loop.call_later(self.patience, self._look)

    def _owing(self) -> object:
        """Return what tells apart what the client has to do next; None where that is nothing."""
        if self._stands or self._is_idle or self.cycle.more_body:
            return self.cycle, self._standstills
        return None

    def _make_room(self) -> None:
        visits: list[Any] = [one for one in self.connections if isinstance(one, Visit)]
        idle = [one for one in visits if one._is_idle and one is not self]  # noqa: SLF001
        min(idle, key=lambda one: one._since, default=self).transport.abort()  # noqa: SLF001


def visits(patience_seconds: float, most_at_once: int) -> type[Visit]:
    """Return the connections of one server."""

    class Ours(Visit):
        patience = patience_seconds
        most = most_at_once

    return Ours
