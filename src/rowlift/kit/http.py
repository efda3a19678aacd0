"""The one way out: HTTP to checked addresses, over connections that are kept for a few seconds.

No redirects, no proxies from the environment, no retries: what was not answered is a value that
says whether the request may have arrived. TLS is always verified against the system's authorities.
"""

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property

from rowlift.core.faults import point
from rowlift.kit.addresses import AddressGuard, Resolver, Target, system_resolver
from rowlift.kit.exchange import Connection, NoReply, Passed, Reply, exchange, words

_made: ContextVar["list[Http] | None"] = ContextVar("made", default=None)

DEADLINE = 30.0  # seconds for everything: connect, send, wait, read
MAX_REPLY = 1_000_000  # bytes, after decompression
RESOLVE_EVERY = 180.0  # seconds; at once after trouble


def unwatched(_passed: Passed) -> None:
    """Let a request pass unseen."""


@contextmanager
def breakable() -> Iterator[Callable[[], None]]:
    """Yield what breaks off the requests, from now on, of all clients that a block makes."""
    made: list[Http] = []
    token = _made.set(made)

    def break_off() -> None:
        for one in made:
            one.break_off()

    try:
        yield break_off
    finally:
        _made.reset(token)


class Http:
    """A guarded client that many threads may share; connections are kept for a few seconds.

    `allow_networks` are CIDRs or host names opened beyond public https; `allow_ports` the ports of
    public addresses. `watch` is shown every request with its answer, in the thread that sent it.
    `request` raises DestinationError ADDRESS_REFUSED, and nothing else.
    """

    def __init__(
        self,
        allow_networks: Iterable[str] = (),
        *,
        allow_ports: Collection[int] = (443,),
        resolver: Resolver = system_resolver,
        ca_file: str | None = None,
        deadline: float = DEADLINE,
        resolve_every: float = RESOLVE_EVERY,
        max_reply: int = MAX_REPLY,
    ) -> None:
        self.watch: Callable[[Passed], None] = unwatched
        self._guard = AddressGuard(allow_networks, allow_ports, resolver)
        self._ca_file = ca_file
        self._deadline = deadline
        self._resolve_every = resolve_every
        self._max_reply = max_reply
        self._lock = threading.Lock()
        self._resolved: dict[Target, tuple[float, tuple[str, ...]]] = {}
        self._idle: dict[Target, list[Connection]] = {}
        self._busy: set[Connection] = set()
        self._is_over = False
        if (made := _made.get()) is not None:
            made.append(self)

    def request(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply | NoReply:
        """Send one request once."""
        wanted, headers = self._guard.target(url), headers or {}
        at, begun = time.time(), time.monotonic()
        answer = self._answered(method, wanted, body, headers, begun + self._deadline)
        seconds = time.monotonic() - begun
        self.watch(Passed(method, wanted, headers, body, answer, at, seconds))
        return answer

    def _answered(
        self, method: str, wanted: Target, body: bytes, headers: Mapping[str, str], deadline: float
    ) -> Reply | NoReply:
        connection = self._connect(wanted, deadline)
        if isinstance(connection, NoReply):
            return connection
        if not self._begins(connection):
            connection.close()
            return NoReply(in_doubt=False, reason="nobody waits for it any more")
        try:
            point("http.before_send")
            answer = exchange(connection, method, wanted.path, body, headers, self._max_reply)
            point("http.after_send")
        except BaseException:
            connection.close()
            raise
        finally:
            with self._lock:
                self._busy.discard(connection)
        self._settle(connection, wanted, answer)
        return answer

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            idle = [one for kept in self._idle.values() for one in kept]
            self._idle.clear()
        for one in idle:
            one.close()

    def break_off(self) -> None:
        """End all requests that are under way, as if no answer came, and let none begin."""
        with self._lock:
            self._is_over = True
            for one in self._busy:
                one.break_off()

    def _begins(self, connection: Connection) -> bool:
        with self._lock:
            if not self._is_over:
                self._busy.add(connection)
            return not self._is_over

    def _connect(self, wanted: Target, deadline: float) -> Connection | NoReply:
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
    ) -> Connection | NoReply:
        reason = "no time left"
        for address in addresses:
            context = self._context if wanted.scheme == "https" else None
            connection = Connection(wanted, address, context, deadline)
            try:
                connection.connect()
            except OSError as error:
                connection.close()
                reason = words(error)
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
                self._resolved[origin] = (time.monotonic() + self._resolve_every, addresses)
        return addresses

    def _kept(self, origin: Target, addresses: tuple[str, ...]) -> Connection | None:
        while True:
            with self._lock:
                kept = self._idle.get(origin)
                connection = kept.pop() if kept else None
            if connection is None or (connection.address in addresses and connection.usable):
                return connection
            connection.close()

    def _settle(self, connection: Connection, wanted: Target, answer: Reply | NoReply) -> None:
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


def _origin(wanted: Target) -> Target:
    return Target(wanted.scheme, wanted.host, wanted.port, "/")
