"""A form that comes twice from one page, as somebody pressed twice: done once, answered twice."""

import asyncio
import hashlib
import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEPT_SECONDS = 3.0  # after the first answer: whoever presses later means it
LARGEST_ANSWER = 1_000_000  # bytes; a longer one is no page

_OF_A_PAGE = re.compile(rb'csrf(?:=|"\r\n\r\n)[0-9a-f]{64}\.[\w-]+')
_NAVIGATION = "application/xhtml+xml"  # browsers name it where they go, scripts of ours do not


class Once:
    """An ASGI application around pages: what one page sent twice reaches them once.

    Each page has a token of its own in its forms, so two pages never send the same.
    """

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner
        self._answers: dict[bytes, _Answer] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if scope["method"] != "POST" or _NAVIGATION not in headers.get("accept", ""):
            await self._inner(scope, receive, send)
            return
        messages, body = await _read(receive)
        again = _Again(messages, receive)
        if not _OF_A_PAGE.search(body):
            await self._inner(scope, again, send)
            return
        key = _told(scope, headers, body)
        if known := self._answers.get(key):
            await known.ended.wait()
            if known.is_whole:
                await known.replay(send)
                return
        self._answers[key] = answer = _Answer(send)
        try:
            await self._inner(scope, again, answer)
        finally:
            answer.ended.set()
            asyncio.get_running_loop().call_later(KEPT_SECONDS, self._answers.pop, key, None)


class _Answer:
    """Passes an answer on, and keeps it for who asks the same again."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._messages: list[Message] = []
        self._size = 0
        self.ended = asyncio.Event()

    @property
    def is_whole(self) -> bool:
        """Tell whether all of it is there."""
        last = self._messages[-1] if self._messages else {"more_body": True}
        is_body = last.get("type") == "http.response.body"
        return is_body and not last.get("more_body") and self._size <= LARGEST_ANSWER

    async def __call__(self, message: Message) -> None:
        self._size += len(message.get("body", b""))
        if self._size <= LARGEST_ANSWER:
            self._messages.append(message)
        await self._send(message)

    async def replay(self, send: Send) -> None:
        """Answer as before."""
        for message in self._messages:
            await send(message)


class _Again:
    """Gives a body that was read to who reads it next."""

    def __init__(self, messages: Sequence[Message], receive: Receive) -> None:
        self._messages = [*messages]
        self._receive = receive

    async def __call__(self) -> Message:
        return self._messages.pop(0) if self._messages else await self._receive()


async def _read(receive: Receive) -> tuple[Sequence[Message], bytes]:
    messages: list[Message] = []
    while not messages or messages[-1].get("more_body"):
        messages.append(await receive())
    return messages, b"".join(one.get("body", b"") for one in messages)


def _told(scope: Scope, headers: Headers, body: bytes) -> bytes:
    """Return what tells one form from another: who sends it, where to, and all that it holds."""
    whole = hashlib.sha256()
    for part in (headers.get("cookie", "").encode(), scope["path"].encode(), scope["query_string"]):
        whole.update(len(part).to_bytes(8, "big") + part)
    whole.update(body)
    return whole.digest()
