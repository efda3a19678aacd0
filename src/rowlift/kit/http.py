"""The one way out: HTTP to checked addresses, one try, one deadline, bounded replies.

No redirects, no proxies from the environment, no retries: what was not answered is a value that
says whether the request may have arrived. TLS is always verified against the system's authorities.
"""

import contextlib
import http.client
import io
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rowlift import __version__
from rowlift.core.faults import point
from rowlift.kit.addresses import AddressGuard, Resolver, Target, system_resolver

USER_AGENT = f"rowlift/{__version__}"
DEADLINE = 30.0  # seconds for everything: connect, send, wait, read
MAX_REPLY = 1_000_000  # bytes, after decompression
_RESOLVED_FOR = 180.0
_IDLE_FOR = 20.0
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


class Http:
    """A guarded client that many threads may share; connections are kept for a few seconds.

    `allow_networks` are CIDRs or host names opened beyond public https; `allow_ports` the ports of
    public addresses. `request` raises DestinationError ADDRESS_REFUSED, and nothing else.
    """

    def __init__(
        self,
        allow_networks: Iterable[str] = (),
        *,
        allow_ports: Collection[int] = (443,),
        resolver: Resolver = system_resolver,
        ca_file: str | None = None,
        deadline: float = DEADLINE,
        max_reply: int = MAX_REPLY,
    ) -> None:
        self._guard = AddressGuard(allow_networks, allow_ports, resolver)
        self._ca_file = ca_file
        self._deadline = deadline
        self._max_reply = max_reply
        self._lock = threading.Lock()
        self._resolved: dict[Target, tuple[float, tuple[str, ...]]] = {}
        self._idle: dict[Target, list[_Connection]] = {}

    @classmethod
    def of(cls, config: object) -> "Http":
        """Build the client that a connector's configuration asks for."""
        return cls(getattr(config, "allow_networks", ()))

    def request(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply | NoReply:
        """Send one request once."""
        wanted = self._guard.target(url)
        deadline = time.monotonic() + self._deadline
        connection = self._connect(wanted, deadline)
        if isinstance(connection, NoReply):
            return connection
        try:
            point("http.before_send")
            answer = _exchange(
                connection, method, wanted.path, body, headers or {}, self._max_reply
            )
            point("http.after_send")
        except BaseException:
            connection.close()
            raise
        self._settle(connection, wanted, answer)
        return answer

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            idle = [one for kept in self._idle.values() for one in kept]
            self._idle.clear()
        for one in idle:
            one.close()

    def _connect(self, wanted: Target, deadline: float) -> "_Connection | NoReply":
        try:
            addresses = self._addresses(wanted)
        except OSError:
            return NoReply(in_doubt=False, reason=f"the name of {wanted} does not resolve")
        kept = self._kept(_origin(wanted), addresses)
        if kept:
            kept.deadline = deadline
            return kept
        return self._open(wanted, addresses, deadline)

    def _open(
        self, wanted: Target, addresses: tuple[str, ...], deadline: float
    ) -> "_Connection | NoReply":
        reason = "no time left"
        for address in addresses:
            context = self._context if wanted.scheme == "https" else None
            connection = _Connection(wanted, address, context, deadline)
            try:
                connection.connect()
            except OSError as error:
                connection.close()
                reason = _words(error)
            else:
                return connection
        self._forget(wanted)
        return NoReply(in_doubt=False, reason=f"{wanted} cannot be reached: {reason}")

    def _addresses(self, wanted: Target) -> tuple[str, ...]:
        origin = _origin(wanted)
        with self._lock:
            until, addresses = self._resolved.get(origin, (0.0, ()))
        if until < time.monotonic():
            addresses = self._guard.addresses(origin)
            with self._lock:
                self._resolved[origin] = (time.monotonic() + _RESOLVED_FOR, addresses)
        return addresses

    def _kept(self, origin: Target, addresses: tuple[str, ...]) -> "_Connection | None":
        while True:
            with self._lock:
                kept = self._idle.get(origin)
                connection = kept.pop() if kept else None
            if connection is None or (connection.address in addresses and connection.usable):
                return connection
            connection.close()

    def _settle(self, connection: "_Connection", wanted: Target, answer: Reply | NoReply) -> None:
        if isinstance(answer, NoReply) or answer.status >= http.client.INTERNAL_SERVER_ERROR:
            self._forget(wanted)
        if isinstance(answer, NoReply) or not answer.whole or connection.sock is None:
            connection.close()
            return
        connection.idle_since = time.monotonic()
        with self._lock:
            self._idle.setdefault(_origin(wanted), []).append(connection)

    def _forget(self, wanted: Target) -> None:
        with self._lock:
            self._resolved.pop(_origin(wanted), None)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca_file)


class _Connection(http.client.HTTPConnection):
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
        plain = socket.create_connection((self.address, self.port), _left(self.deadline))
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


def _exchange(
    connection: _Connection,
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
        return NoReply(in_doubt=True, reason=f"no reply: {_words(error)}")
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


def _origin(wanted: Target) -> Target:
    return Target(wanted.scheme, wanted.host, wanted.port, "/")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "the encrypted connection failed"
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, http.client.RemoteDisconnected):
        return "it closed the connection"
    return getattr(error, "strerror", None) or "it did not speak HTTP"
