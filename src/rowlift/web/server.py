"""An HTTP server in a thread of this process."""

import asyncio
import socket
import threading
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from rowlift.core.errors import ConfigError, StateError
from rowlift.web.visits import MOST, PATIENCE_SECONDS, visits

GRACE_SECONDS = 3.0  # for requests under way when the server is asked to end
STOP_SECONDS = 5.0  # for their threads, once nobody waits for an answer


class _Server(uvicorn.Server):
    """Cancels nothing when it ends: who still waits then finds that the connection is closed."""

    def __init__(self, config: uvicorn.Config, grace: float) -> None:
        super().__init__(config)
        self._grace = grace

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().call_later(self._grace, self._hang_up)
        await super().shutdown(sockets)

    def _hang_up(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class HttpServer:
    """Serves an application as long as its block lasts; port 0 takes a free one.

    There are `most` connections at once; a client is waited for `patience` seconds, at most twice.
    At the end requests have `grace` seconds, and `stop` more to go once nobody waits for them;
    raises StateError DRAIN_LATE where one stays.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        patience: float = PATIENCE_SECONDS,
        most: int = MOST,
        grace: float = GRACE_SECONDS,
        stop: float = STOP_SECONDS,
    ) -> None:
        config = uvicorn.Config(
            app,
            http=visits(patience, most),
            ws="none",
            log_config=None,
            log_level="error",  # whatever a stranger sends
            access_log=False,
            server_header=False,
        )
        self._socket = _bound(host, port)
        self._server = _Server(config, grace)
        self._end_seconds = grace + stop
        self._thread = threading.Thread(target=self._serve, name="http")

    @property
    def url(self) -> str:
        """Return the address that it answers at."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            self._thread.join(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(self._end_seconds)
        if self._thread.is_alive():  # and closes the socket itself
            text = f"Not ended after {self._end_seconds:.0f} s: requests over HTTP."
            raise StateError("DRAIN_LATE", text, mend="Nothing is lost: the next start goes on.")
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Told its protocol, asyncio sends at once: a body never waits for its head to be confirmed.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        bound.close()
        raise ConfigError(
            "ADDRESS_TAKEN",
            f"Nothing can be served at {host}, port {port}: {error}.",
            mend="Choose another one: rowlift serve --port 7071.",
        ) from error
    return bound
