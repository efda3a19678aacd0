"""Around every request: which host it may name, how large it may be, and what headers answer it."""

import re
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rowlift.core.errors import ConfigError, RowliftError
from rowlift.web.names import kept, origin
from rowlift.web.problems import answer, problem

LARGEST_BODY = 1_000_000  # bytes

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_HOST = re.compile(r"(?P<name>\[[^\]]*\]|[^:]*)(:[0-9]*)?")

SAFE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


class Shell:
    """An ASGI application around another one; nothing that it refuses reaches the inner one."""

    def __init__(self, inner: ASGIApp, hosts: Collection[str] = LOOPBACK) -> None:
        self._inner = inner
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        scope = origin(scope)
        body = Body(receive)
        sent = Sent(send, body)
        refusal = self._refusal(Headers(scope=scope), scope["path"])
        try:
            if refusal is None:
                await self._inner(kept(scope), body, sent)
                refusal = _too_large() if body.is_too_large else None
            if refusal:
                await answer(problem(refusal))(scope, receive, sent.anyhow)
        except Exception:
            if not sent.ended:  # what was answered is not said twice
                raise

    def _refusal(self, headers: Headers, path: str) -> RowliftError | None:
        host = _HOST.fullmatch(headers.get("host", "").lower())
        if host is None or host["name"] not in self._hosts:
            return ConfigError(
                "HOST_REFUSED",
                "The request names a host that this server is not known by.",
                mend="Start it with --allow-host NAME for each name that leads to it.",
            )
        length = headers.get("content-length", "0")
        is_for_sdks = path.startswith("/v1/")  # they are refused in their own words, and sooner
        if length.isdecimal() and int(length) > LARGEST_BODY and not is_for_sdks:
            return _too_large()
        return None


class Body:
    """Reads a body up to the limit, beyond which the client seems to have gone."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read = 0

    @property
    def is_too_large(self) -> bool:
        """Tell whether the limit was passed."""
        return self._read > LARGEST_BODY

    async def __call__(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.is_too_large else message


class Sent:
    """Passes on what is sent, under the headers that every answer has.

    What the inner application says of a body that was cut off is dropped.
    """

    def __init__(self, send: Send, body: Body) -> None:
        self._send = send
        self._body = body
        self.ended = False

    async def __call__(self, message: Message) -> None:
        if not self._body.is_too_large:
            await self.anyhow(message)

    async def anyhow(self, message: Message) -> None:
        """Pass on what is sent, whatever became of the body."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in SAFE_HEADERS.items():
                headers.setdefault(name, value)
        self.ended = message["type"] == "http.response.body" and not message.get("more_body")
        await self._send(message)


def _too_large() -> ConfigError:
    return ConfigError(
        "BODY_TOO_LARGE",
        f"The body has more than {LARGEST_BODY:,} bytes.",
        mend="Send less at once.",
    )
