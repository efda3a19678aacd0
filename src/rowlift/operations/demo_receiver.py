"""The demo's webhook receiver: checks every signature and counts what arrives."""

import hmac
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from rowlift.kit.signatures import signature, signing_key

TOLERANCE_SECONDS = 300


class Receiver:
    """Listens on a loopback port while the block runs; a context manager.

    `people` holds the newest record of each key, `records` counts all, `refused` counts requests
    whose signature was wrong.
    """

    def __init__(
        self, secret: str, port: int = 0, tell: Callable[[int], None] = lambda _: None
    ) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.records = 0
        self.refused = 0
        self._key = signing_key(secret)
        self._tell = tell
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, ident: str, stamp: str, signatures: str, body: bytes) -> bool:
        """Keep the records of a request if its signature is right and not old."""
        if not self._signed(ident, stamp, signatures, body):
            with self._lock:
                self.refused += 1
            return False
        records = json.loads(body)["data"]["records"]
        with self._lock:
            self.records += len(records)
            self.people |= {str(*one["key"].values()): one for one in records}
        self._tell(len(records))
        return True

    def _signed(self, ident: str, stamp: str, signatures: str, body: bytes) -> bool:
        if not stamp.isdigit() or abs(time.time() - int(stamp)) > TOLERANCE_SECONDS:
            return False
        wanted = signature([self._key], ident, int(stamp), body)
        return any(hmac.compare_digest(wanted, one) for one in signatures.split())


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(200)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            names = ("webhook-id", "webhook-timestamp", "webhook-signature")
            ident, stamp, signatures = (self.headers.get(name, "") for name in names)
            self._answer(204 if receiver.take(ident, stamp, signatures, body) else 401)

        def log_message(self, *_: Any) -> None:
            """Stay silent: the demo says what arrived."""

        def _answer(self, status: int) -> None:
            self.send_response(status)
            if status != 204:  # noqa: PLR2004
                self.send_header("Content-Length", "0")
            self.end_headers()

    return Handler
