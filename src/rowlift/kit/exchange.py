"""One request on one connection: a deadline for all of it, a bounded reply, no second try."""

import contextlib
import http.client
import io
import socket
import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rowlift.core.version import VERSION
from rowlift.kit.addresses import Target

USER_AGENT = f"rowlift/{VERSION}"
CONNECT_TIMEOUT = 8.0  # seconds for one address, within the deadline
_IDLE_FOR = 20.0  # seconds a connection may rest before it is used again
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; header names are lower case. `whole` is false where the body was cut or broken."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class NoReply:
    """No answer; `in_doubt` where the request may have arrived all the same."""

    in_doubt: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A request as it left and what came of it; `at` is in Unix seconds."""

    method: str
    wanted: Target
    headers: Mapping[str, str]
    body: bytes
    answer: Reply | NoReply
    at: float
    seconds: float


class Connection(http.client.HTTPConnection):
    """A connection to one checked address, under the name that was asked for."""

    def __init__(
        self, wanted: Target, address: str, context: ssl.SSLContext | None, deadline: float
    ) -> None:
        super().__init__(wanted.host, wanted.port)
        self.default_port = wanted.port if wanted.is_default_port else 0
        self.address = address
        self.context = context
        self.deadline = deadline
        self.idle_since = 0.0
        self.response_class = self._response  # type: ignore[assignment]

    def connect(self) -> None:
        # A dead address must leave time for the next one.
        longest = min(_left(self.deadline), CONNECT_TIMEOUT)
        plain = socket.create_connection((self.address, self.port), longest)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock: Any = plain
        if self.context:
            plain.settimeout(_left(self.deadline))
            self.sock = self.context.wrap_socket(plain, server_hostname=self.host)

    def send(self, data: Any) -> None:
        if self.sock is None:
            raise http.client.NotConnected
        self.sock.settimeout(_left(self.deadline))
        super().send(data)

    def break_off(self) -> None:
        """End what another thread sends or waits for; it finds the connection closed."""
        if self.sock is not None:
            with contextlib.suppress(OSError):  # beside TLS: its own shutdown belongs to who reads
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    @property
    def usable(self) -> bool:
        """Whether it is young and the other side has neither closed it nor said anything."""
        if time.monotonic() - self.idle_since > _IDLE_FOR:
            return False
        self.sock.settimeout(0)
        try:
            self.sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            pass
        return False

    def _response(self, sock: socket.socket, **options: Any) -> http.client.HTTPResponse:
        response = http.client.HTTPResponse(sock, **options)
        self.raw = _Deadlined(response.fp.detach(), sock, self.deadline)
        response.fp = io.BufferedReader(self.raw)
        return response


class _Deadlined(io.RawIOBase):
    """Reads from a socket until one moment, however slowly the bytes drip."""

    def __init__(self, raw: Any, sock: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._deadline))
        count: int = self._raw.readinto(buffer)
        self.ended = count == 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def exchange(
    connection: Connection,
    method: str,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    max_reply: int,
) -> Reply | NoReply:
    try:
        # A server may answer 413 and close before it has read everything.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, path, body, {"User-Agent": USER_AGENT, **headers})
        response = connection.getresponse()
        if connection.raw.ended:
            response.close()
            return NoReply(in_doubt=True, reason="the reply broke off in its headers")
    except (OSError, http.client.HTTPException) as error:
        return NoReply(in_doubt=True, reason=f"no reply: {words(error)}")
    with response:
        return _read(response, max_reply)


def _read(response: http.client.HTTPResponse, max_reply: int) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    try:
        body = response.read(max_reply + 1)
        whole = len(body) <= max_reply and not response.length
        body = _decoded(body, headers.get("content-encoding", "identity").lower(), max_reply)
    except (OSError, http.client.HTTPException, zlib.error, ValueError):
        return Reply(response.status, headers, whole=False)
    return Reply(response.status, headers, body, whole)


def _decoded(body: bytes, encoding: str, max_reply: int) -> bytes:
    if encoding in ("", "identity") or not body:
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise ValueError("an encoding nobody asked for")
    inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
    text = inflate.decompress(body, max_reply)
    if not inflate.eof:
        raise ValueError("cut, or larger than allowed")
    return text


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


def words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "the encrypted connection failed"
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, http.client.RemoteDisconnected):
        return "it closed the connection"
    return getattr(error, "strerror", None) or "it did not speak HTTP"
