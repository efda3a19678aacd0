"""A span for each request, where traces are on."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rowlift.core.spans import span


class Traced:
    """An ASGI application around another one; of an address it tells the operation, and no name."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        with span("request", method=scope["method"]) as request:

            async def told(message: Message) -> None:
                if message["type"] == "http.response.start":
                    request.note(operation=_operation(scope), status=message["status"])
                await send(message)

            await self._inner(scope, receive, told)


def _operation(scope: Scope) -> str:
    """Return the operation that a route declared; nothing where none took the request."""
    declared = getattr(scope.get("route"), "openapi_extra", None) or {}
    return str(declared.get("x-operation", ""))
