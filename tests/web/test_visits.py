"""Clients that keep connections for nothing."""

import asyncio
import json
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from doors.api import Api
from rowlift.core.errors import StateError
from rowlift.core.rights import Role
from rowlift.web.server import HttpServer
from rowlift.web.streams import AT_ONCE

SECONDS = 60
WATCHED = "/destinations/crm/requests/events"
Endpoint = Callable[[Request], Awaitable[Response] | Response]
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"


async def read(request: Request) -> Response:
    return Response(await request.body())


class Endless:
    """An answer without end, and whether it was given up."""

    def __init__(self) -> None:
        self.is_given_up = threading.Event()

    async def answer(self, _: Request) -> Response:
        return StreamingResponse(self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(1 << 20)
                await asyncio.sleep(0)
        finally:
            self.is_given_up.set()


@contextmanager
def served(app: Endpoint = read, **limits: float) -> Iterator[HttpServer]:
    routes = [Route("/", app, methods=["GET", "POST"])]
    with HttpServer(Starlette(routes=routes), **limits) as server:  # type: ignore[arg-type]
        yield server


def visit(server: HttpServer, said: bytes = b"") -> socket.socket:
    url = httpx.URL(server.url)
    made = socket.create_connection((url.host, url.port or 0), timeout=SECONDS)
    made.sendall(said)
    return made


def is_closed(made: socket.socket) -> bool:
    """Wait until the server has closed a connection on which it said nothing."""
    try:
        return made.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "said", [b"", b"GET /", GET, POST + b"\r\nhalf"], ids=["nothing", "word", "head", "body"]
)
def test_S43_who_does_not_end_a_request_is_not_waited_for(said: bytes) -> None:
    with served(patience=0.1) as server, visit(server, said) as slow:
        assert is_closed(slow)


def test_S43_who_does_not_read_an_answer_is_not_waited_for() -> None:
    endless = Endless()
    with served(endless.answer, patience=0.1) as server, visit(server, GET + b"\r\n"):
        assert endless.is_given_up.wait(SECONDS)


NO_REQUESTS = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(160),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": GET + b"Host: y\r\n\r\n",
    "two lengths": POST + b"Content-Length: 8\r\n\r\n",
    "length below zero": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "packed twice": GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "no chunk": GET + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
}


def test_S43_what_is_no_request_is_told_so_by_a_code() -> None:
    with served() as server:
        for name, said in NO_REQUESTS.items():
            with visit(server, said) as client:
                answer = HTTPResponse(client)
                answer.begin()
                told = json.loads(answer.read())
                found = (answer.status, told["code"], answer.headers["X-Content-Type-Options"])
                assert found == (400, "REQUEST_INVALID", "nosniff"), name
                assert told["mend"]
                assert is_closed(client)


def test_S43_a_body_that_breaks_after_the_answer_only_ends_the_connection() -> None:
    async def early(_: Request) -> Response:
        return Response("no", 403)

    with served(early) as server:
        with visit(server, GET + b"Transfer-Encoding: chunked\r\n\r\n") as client:
            answer = HTTPResponse(client)
            answer.begin()
            assert answer.read() == b"no"
            client.sendall(b"zz\r\n")
            assert is_closed(client)
        assert httpx.get(server.url, trust_env=False).status_code == 403


def test_S43_who_idles_longest_makes_room() -> None:
    with served(most=3) as server, ExitStack() as open_:
        idle = [open_.enter_context(visit(server)) for _ in range(3)]
        assert httpx.post(server.url, content=b"ours", trust_env=False).text == "ours"
        assert is_closed(idle[0])


def ours(client: socket.socket) -> Iterator[socket.socket]:
    """The server's end of a connection, which is open in this process too."""
    for one in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if str(one.readlink()).startswith("socket:"):
                with socket.socket(fileno=os.dup(int(one.name))) as found:
                    if found.getpeername() == client.getsockname():
                        yield found


def test_what_is_answered_is_sent_at_once() -> None:
    with served() as server, visit(server, GET + b"\r\n") as client:
        assert client.recv(8) == b"HTTP/1.1"
        waits = [not one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in ours(client)]
        assert waits == [False]


def test_S43_a_request_that_hangs_is_told_at_the_end() -> None:
    began, may_end = threading.Event(), threading.Event()

    def hang(_: Request) -> Response:
        began.set()
        return Response(str(may_end.wait(SECONDS)))

    with ExitStack() as open_:
        open_.callback(may_end.set)
        ending = ExitStack()
        server = ending.enter_context(served(hang, grace=0, stop=0.1))
        open_.enter_context(visit(server, GET + b"\r\n"))
        assert began.wait(SECONDS)
        with pytest.raises(StateError) as late:
            ending.close()
    assert late.value.code == "DRAIN_LATE"


def test_a_user_has_so_many_streams_of_events_at_once(api: Api) -> None:
    with api.as_user(Role.VIEWER) as viewer, ExitStack() as open_:
        for _ in range(AT_ONCE):
            answer = open_.enter_context(viewer.stream("GET", WATCHED))
            assert answer.status_code == 200
        refused = viewer.get(WATCHED)
        assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
        with api.as_user(Role.EDITOR) as other:
            open_.enter_context(other.stream("GET", WATCHED)).raise_for_status()
