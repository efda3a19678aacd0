"""Connections as the API tests them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer

from doors.api import serving
from rowlift.core.rights import Role
from world import World

LOOPBACK = "127.0.0.1"


NOWHERE = "no-such.invalid"
PASSWORD = {"user": "u", "password": "x", "database": "d", "connect_timeout": 2}
KINDS = ("postgres", "redshift", "mysql")


@contextmanager
def answering(banner: bytes) -> Iterator[int]:
    """Answer whoever connects with a few bytes of another protocol, and hang up."""

    class Greeter(BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(banner)

    with ThreadingTCPServer((LOOPBACK, 0), Greeter) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(20)


@contextmanager
def closed() -> Iterator[int]:
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        yield held.getsockname()[1]


def told(shop: World, host: str, port: int) -> dict[str, object]:
    """What the API says of connections to an address, by their names."""
    shop.save()
    sources = {kind: {"type": kind, "host": host, "port": port, **PASSWORD} for kind in KINDS}
    hook = {
        "type": "webhook", "url": f"https://{host}:{port}/", "secret": "whsec_" + "A" * 32,
        "allow_networks": ["127.0.0.0/8", NOWHERE],
    }  # fmt: skip
    profile = {"sources": sources | {"shop": shop.shop}, "destinations": {"crm": hook}}
    shop.write("connections.yml", {"default": "dev", "profiles": {"dev": profile}})
    with serving(shop.folder) as api, api.as_user(Role.EDITOR) as editor:
        found = editor.post("/connections/test").raise_for_status().json()
        refused = editor.get("/sources/postgres/catalog").json()
    return {name: found[name] for name in (*KINDS, "crm")} | {"catalog": refused}


def test_S9_whatever_keeps_a_server_away_reads_the_same(shop: World) -> None:
    with closed() as port:
        same = told(shop, LOOPBACK, port)
    assert {one["code"] for name in KINDS for one in same[name]} == {"CONNECT_FAILED"}
    assert [one["code"] for one in same["crm"]] == ["UNREACHABLE"]
    assert str(port) not in str(same)
    assert told(shop, NOWHERE, 5432) == same
    for banner in (b"SSH-2.0-OpenSSH_9.0\r\n", b"HTTP/1.1 400 No\r\n\r\n"):
        with answering(banner) as port:
            assert told(shop, LOOPBACK, port) == same
