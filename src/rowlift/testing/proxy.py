"""A TCP proxy on loopback that makes a network go wrong; TLS passes through untouched."""

import contextlib
import select
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Literal, Self

_PIECE = 65536
_RESET = struct.pack("ii", 1, 0)
_SLICE = 0.05  # seconds; how long a change may go unnoticed


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong once a connection has brought `after` bytes from the server.

    Each piece comes `latency` seconds late, and no more than `bandwidth` bytes in a second; `then`
    nothing special happens, nothing more arrives (both sides stay connected), or the client's side
    is closed, reset, or closed for receiving only, while the server is told nothing.
    """

    after: int = 0
    latency: float = 0.0
    bandwidth: float = 0.0  # 0 is without limit
    then: Literal["pass", "stall", "close", "reset", "half-close"] = "pass"


class Proxy:
    """Passes connections on to a server until closed; a context manager.

    `trouble` may be changed at any time and holds for every connection, open ones too. `longest` is
    the number of bytes that the server sent over the connection that brought most of them.
    """

    def __init__(self, host: str, port: int) -> None:
        self.trouble = Trouble()
        self.longest = 0
        self.connections = 0
        self._server = (host, port)
        self._lock = threading.Lock()
        self._open: set[_Link] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self.up()

    def up(self) -> None:
        """Take connections, on the same port as before."""
        if self._listener:
            return
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def down(self) -> None:
        """Refuse connections; those that are open go on."""
        if self._listener:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def reset(self) -> None:
        """Reset every connection that is open."""
        for link in self._links():
            link.end(reset=True)

    def close(self) -> None:
        """Refuse, and end what is open."""
        self.down()
        for link in self._links():
            link.end()
        for link in self._links():
            link.ended.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _links(self) -> list["_Link"]:
        with self._lock:
            return list(self._open)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                server = socket.create_connection(self._server)
            except OSError:
                client.close()
                continue
            for end in (client, server):  # what waits, waits because it is told to
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(self, client, server)
            with self._lock:
                self._open.add(link)
            threading.Thread(target=self._serve, args=[link], daemon=True).start()

    def _serve(self, link: "_Link") -> None:
        up = threading.Thread(target=link.upwards, daemon=True)
        up.start()
        link.downwards()
        link.end()
        up.join()
        link.close()
        with self._lock:
            self._open.discard(link)
        link.ended.set()

    def count(self, brought: int) -> None:
        """Note how many bytes one connection has brought from the server."""
        with self._lock:
            self.longest = max(self.longest, brought)


class _Link:
    """One client's connection and ours to the server."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.ended = threading.Event()
        self._proxy = proxy
        self._client = client
        self._server = server
        self._over = threading.Event()
        self._brought = 0

    def upwards(self) -> None:
        """Pass on what the client sends."""
        with contextlib.suppress(OSError):
            while self._ready(self._client, select.POLLIN) and (piece := self._client.recv(_PIECE)):
                self._send(self._server, piece)
        self._over.set()

    def downwards(self) -> None:
        """Pass on what the server sends, with whatever goes wrong."""
        with contextlib.suppress(OSError):
            while not self._over.is_set() and self._onwards():
                pass

    def end(self, *, reset: bool = False) -> None:
        """End both sides."""
        if reset:
            with contextlib.suppress(OSError):
                self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._over.set()

    def close(self) -> None:
        """Give both sockets back."""
        self._client.close()
        self._server.close()

    def _onwards(self) -> bool:
        """Pass on the next piece; returns whether there may be more."""
        trouble = self._proxy.trouble
        left = trouble.after - self._brought
        if left <= 0 and trouble.then != "pass":
            return self._go_wrong(trouble.then)
        if not self._ready(self._server, select.POLLIN):
            return False
        if trouble is not self._proxy.trouble:
            return True
        piece = self._server.recv(self._size(trouble, left))
        if not piece:
            return False
        if left <= 0:
            self._over.wait(trouble.latency + len(piece) / (trouble.bandwidth or float("inf")))
        self._brought += len(piece)
        self._proxy.count(self._brought)  # before the client can look
        self._send(self._client, piece)
        return True

    def _size(self, trouble: Trouble, left: int) -> int:
        if left > 0:
            return min(_PIECE, left)
        return max(1, int(min(_PIECE, trouble.bandwidth * _SLICE or _PIECE)))

    def _go_wrong(self, how: str) -> bool:
        if how == "stall":
            self._over.wait(_SLICE)  # until it is over, or the trouble is
            return True
        if how == "half-close":
            self._client.shutdown(socket.SHUT_WR)
            self._over.wait()
        self.end(reset=how == "reset")
        return False

    def _send(self, one: socket.socket, piece: bytes) -> None:
        left = memoryview(piece)
        while left and self._ready(one, select.POLLOUT):
            left = left[one.send(left, socket.MSG_DONTWAIT) :]

    def _ready(self, one: socket.socket, event: int) -> bool:
        """Wait until something can be read or sent; False when the connection is over."""
        poll = select.poll()
        poll.register(one, event)
        while not self._over.is_set():
            if poll.poll(_SLICE * 1000):
                return True
        return False
