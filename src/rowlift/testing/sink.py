"""A local HTTP receiver for tests: keeps what it applied, forgets repeats, misbehaves on demand.

It takes Segment batches (`{"batch":[…]}`) and our webhook envelopes (`{"data":{"records":[…]}}`) at
any path. `python -m rowlift.testing.sink [--latency-ms 100]` runs one until its input ends; each
line of input, and the end, makes it print what it took so far.
"""

import argparse
import contextlib
import json
import re
import select
import socket
import ssl
import struct
import sys
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from isal import isal_zlib

from rowlift.testing.misbehaviour import Misbehaviour, kept

_OK = kept(200, b'{"success":true}')
_POISONED = kept(400, b'{"code":"invalid","message":"a record is not valid"}')
_FIRST_LINE = re.compile(r"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/1\.[01]")
_RESET = struct.pack("ii", 1, 0)
_IDS = (b'"messageId":', b'"message_id":')


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived; the body is decompressed, header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    raw_size: int

    @property
    def records(self) -> list[dict[str, Any]]:
        """Return the messages or records inside, in their order."""
        document = json.loads(self.body) if self.body else {}
        found: list[dict[str, Any]] = document.get("batch") or document.get("data", {}).get(
            "records", []
        )
        return found


@dataclass
class Taken:
    """What a sink took: applied records by message id, and the last one of each key."""

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_key: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: int = 0  # with repeats
    repeats: int = 0
    requests: int = 0
    bytes: int = 0


class Sink:
    """Serves until closed, each connection in a thread; a context manager.

    `requests` holds every request that was applied, answered or not, `seen` every other one too;
    `most_at_once` is how many ever waited for their answers at the same time.
    With `parse=False` it only counts, for measurements; `latency` seconds pass before each answer.
    """

    def __init__(
        self,
        *,
        context: ssl.SSLContext | None = None,
        parse: bool = True,
        latency: float = 0,
    ) -> None:
        self.taken = Taken()
        self.requests: list[Received] = []
        self.seen: list[Received] = []
        self.poison: set[str] = set()
        self.connections = 0
        self.most_at_once = 0
        self._waiting: set[socket.socket] = set()
        self._context = context
        self._parse = parse
        self._latency = latency
        self._next: deque[Misbehaviour | None] = deque()
        self._always: Misbehaviour | None = None
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def misbehave(self, *ways: Misbehaviour | None) -> None:
        """Answer the next requests in these ways, one each; None is a good answer."""
        with self._lock:
            self._next.extend(ways)

    def always(self, way: Misbehaviour | None) -> None:
        """Answer every request in this way until told otherwise."""
        with self._lock:
            self._always = way

    def wait_until_idle(self, seconds: float = 10) -> None:
        """Return when every connection is closed; raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._open, seconds):
                raise TimeoutError("a connection stayed open")

    def close(self) -> None:
        """Stop serving and wait for the threads."""
        self._closing.set()
        with self._lock:
            sockets = [self._listener, *self._open]
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, serve: Any, *args: Any) -> None:
        thread = threading.Thread(target=serve, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        stream = connection
        with contextlib.suppress(OSError):
            if self._context:
                stream = self._context.wrap_socket(connection, server_side=True)
                self._open.add(stream)
            reader = stream.makefile("rb")
            with stream, reader:
                while self._one(stream, reader):
                    pass
        connection.close()
        with self._changed:
            self._open -= {connection, stream}
            self._changed.notify_all()

    def _one(self, stream: socket.socket, reader: Any) -> bool:
        """Answer one request; returns whether the connection goes on."""
        head = _head(reader)
        if head is None:
            return False
        with self._lock:
            self._waiting.add(stream)
            self.most_at_once = max(self.most_at_once, len(self._waiting))
        try:
            return self._answered(head, stream, reader)
        finally:
            self._is_answered(stream)

    def _answered(
        self, head: tuple[str, str, dict[str, str]], stream: socket.socket, reader: Any
    ) -> bool:
        way = self._way()
        if way and way.take is not None:
            reader.read(way.take)
            return self._misanswer(stream, way)
        received = _body(head, reader)
        if way is None:
            reply = self._judge(received)
            if self._latency:
                self._closing.wait(self._latency)
            self._is_answered(stream)
            stream.sendall(reply)
            return True
        self._note(received, apply=way.apply, refused=way.refused)
        return self._misanswer(stream, way)

    def _is_answered(self, stream: socket.socket) -> None:
        """Count a request no more; said before its client can know, who then sends the next."""
        with self._lock:
            self._waiting.discard(stream)

    def _way(self) -> Misbehaviour | None:
        with self._lock:
            return self._next.popleft() if self._next else self._always

    def _judge(self, received: Received) -> bytes:
        if self.poison and any(key_of(one) in self.poison for one in received.records):
            self._note(received, apply=False)
            return _POISONED
        return self._welcome(received)

    def _welcome(self, received: Received) -> bytes:
        """Take a request in which nothing is poisoned; returns the answer."""
        self._note(received, apply=True)
        return _OK

    def _misanswer(self, stream: socket.socket, way: Misbehaviour) -> bool:
        """Answer in a wrong way; returns whether the connection goes on."""
        self._closing.wait(way.wait)
        if way.drip and not way.endless:
            for at in range(len(way.raw)):
                stream.sendall(way.raw[at : at + 1])
                if self._closing.wait(way.drip):
                    return False
        else:
            self._is_answered(stream)
            stream.sendall(way.raw)
        while way.endless and not self._closing.is_set():
            stream.sendall(way.endless)
            self._closing.wait(way.drip)
        _end(stream, way.end)
        return way.end == "keep"

    def _note(
        self, received: Received, *, apply: bool, refused: frozenset[int] = frozenset()
    ) -> None:
        with self._lock:
            self.taken.requests += apply
            self.taken.bytes += received.raw_size
            self.taken.rows += apply * sum(map(received.body.count, _IDS))
            if not self._parse:
                return
            self.seen.append(received)
            if apply:
                self.requests.append(received)
                self._apply(received, refused)

    def _apply(self, received: Received, refused: frozenset[int]) -> None:
        for index, record in enumerate(received.records):
            if index not in refused:
                self._take(record)

    def _take(self, record: dict[str, Any]) -> None:
        ident = ident_of(record)
        if ident in self.taken.records:
            self.taken.repeats += 1
            return
        self.taken.records[ident] = record
        self.taken.by_key[key_of(record)] = record


def ident_of(record: Mapping[str, Any]) -> str:
    """Return the message id of a record; without one it is all that it says, but the time."""
    ident = record.get("messageId") or record.get("message_id") or record.get("id")
    return str(ident or json.dumps({**record, "timestamp": None}, sort_keys=True))


def key_of(record: Mapping[str, Any]) -> str:
    """Return the key a record is about."""
    for named in ("key", "identifiers"):
        if named in record:
            return str([*record[named].values()][-1])
    external = record.get("context", {}).get("externalIds")
    if external:
        return str(external[0]["id"])
    return str(record.get("groupId") or record.get("userId") or record.get("anonymousId"))


def _head(reader: Any) -> tuple[str, str, dict[str, str]] | None:
    first = _FIRST_LINE.fullmatch(reader.readline(65536).decode("latin-1").rstrip())
    if first is None:
        return None
    headers = {}
    while (line := reader.readline(65536).decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return first["method"], first["path"], headers


def _body(head: tuple[str, str, dict[str, str]], reader: Any) -> Received:
    method, path, headers = head
    raw = reader.read(int(headers.get("content-length", "0")))
    packed = headers.get("content-encoding") == "gzip"
    body = isal_zlib.decompress(raw, 32 + isal_zlib.MAX_WBITS) if packed else raw
    return Received(method, path, headers, body, len(raw))


def _end(stream: socket.socket, how: str) -> None:
    if how == "reset":
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    if how == "half-close":
        stream.shutdown(socket.SHUT_WR)
    if how in ("half-close", "hold"):
        leaving = select.poll()
        leaving.register(stream, select.POLLRDHUP)
        leaving.poll()


def main() -> None:
    """Run a counting sink: the URL first, then a JSON line of counts as often as it is asked."""
    parser = argparse.ArgumentParser(prog="python -m rowlift.testing.sink")
    parser.add_argument("--latency-ms", type=float, default=0, help="wait before each answer")
    given = parser.parse_args()
    with Sink(parse=False, latency=given.latency_ms / 1000) as sink:
        _tell(sink.url)
        for _ in sys.stdin:
            _tell(_counts(sink.taken))
        _tell(_counts(sink.taken))


def _counts(taken: Taken) -> str:
    counts = {"requests": taken.requests, "rows": taken.rows, "bytes": taken.bytes}
    return json.dumps(counts)


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
