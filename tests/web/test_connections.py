"""Connections as the API tests them."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest

from doors.api import serving
from doors.cli import run_cli
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


@pytest.mark.door("api")
def test_B29_the_addresses_for_an_allow_list_are_told(shop: World) -> None:
    shop.save()
    with serving(shop.folder) as api, api.as_user(Role.VIEWER) as viewer:
        own = viewer.get("/connections/addresses").json()
        assert not own["is_declared"]
        assert all(ip_address(one) for one in own["addresses"])
        workspace = {"name": "acme", "addresses": ["203.0.113.7", "2001:db8::/48"]}
        shop.write("rowlift.yml", {"version": 1, "workspace": workspace})
        told = viewer.get("/connections/addresses").json()
    assert (told["addresses"], told["is_declared"]) == (["203.0.113.7", "2001:db8::/48"], True)


@pytest.mark.door("cli")
def test_B29_debug_tells_the_addresses_and_check_refuses_what_is_none(shop: World) -> None:
    shop.save()
    workspace = {"name": "acme", "addresses": ["203.0.113.0/28"]}
    shop.write("rowlift.yml", {"version": 1, "workspace": workspace})
    done = run_cli("debug", "-o", "json", cwd=shop.folder)
    assert json.loads(done.stdout)["addresses"]["addresses"] == ["203.0.113.0/28"]
    for wrong in ("gateway.example.com", "203.0.113.1/28", "::ffff:1.2.3.4.5"):
        workspace["addresses"] = [wrong]
        shop.write("rowlift.yml", {"version": 1, "workspace": workspace})
        refused = run_cli("check", "-o", "json", cwd=shop.folder)
        assert (refused.code, wrong in refused.stdout) == (2, True)


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
