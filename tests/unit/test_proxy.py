"""The proxy does to a connection what it says, neither more nor less."""

import socket
import threading
import time
from contextlib import suppress

import pytest

from rowlift.testing.proxy import Proxy, Trouble

SENT = bytes(range(256)) * 4096  # a mebibyte
SIZE = len(SENT)
CUT = 300_001


@pytest.fixture
def server():
    """Answers each line with a mebibyte, and a farewell with its end."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection):
        with suppress(OSError), connection, connection.makefile("rb") as lines:
            for line in lines:
                if line == b"bye\n":
                    return
                connection.sendall(SENT)

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=[connection], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def proxy(server):
    with Proxy(*server) as proxy:
        yield proxy


@pytest.fixture
def client(proxy):
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as client:
        yield client


def received(client, size=SIZE):
    found = b""
    while len(found) < size and (piece := client.recv(65536)):
        found += piece
    return found


def test_without_trouble_every_byte_passes(proxy, client):
    for _ in range(2):
        client.sendall(b"go\n")
        assert received(client) == SENT
    assert (proxy.longest, proxy.connections) == (2 * len(SENT), 1)
    client.sendall(b"bye\n")
    assert client.recv(1) == b""


@pytest.mark.parametrize("how", ["close", "half-close"])
def test_a_cut_comes_after_the_byte_that_was_asked_for(proxy, client, how):
    proxy.trouble = Trouble(after=CUT, then=how)
    client.sendall(b"go\n")
    assert received(client) == SENT[:CUT]
    assert proxy.longest == CUT


def test_a_half_closed_connection_still_takes_what_the_client_sends(proxy, client):
    proxy.trouble = Trouble(after=1, then="half-close")
    client.sendall(b"go\n")
    assert received(client) == SENT[:1]
    client.sendall(b"more\n" * 1000)


def test_a_reset_is_an_error(proxy, client):
    proxy.trouble = Trouble(after=CUT, then="reset")
    client.sendall(b"go\n")
    with pytest.raises(ConnectionResetError):
        received(client)


def test_a_stall_ends_with_the_trouble(proxy, client):
    proxy.trouble = Trouble(after=CUT, then="stall")
    client.sendall(b"go\n")
    assert received(client, CUT) == SENT[:CUT]
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(10)
    proxy.trouble = Trouble()
    assert received(client, len(SENT) - CUT) == SENT[CUT:]


def test_bandwidth_and_latency_slow_down_what_comes_after(proxy, client):
    proxy.trouble = Trouble(after=len(SENT) - 1000, bandwidth=4000, latency=0.01)
    started = time.monotonic()
    client.sendall(b"go\n")
    assert received(client) == SENT
    assert 0.25 < time.monotonic() - started < 60


def test_open_connections_are_reset_on_demand(proxy, client):
    client.sendall(b"go\n")
    assert received(client) == SENT
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_a_proxy_that_is_down_refuses_and_leaves_the_rest(proxy, client):
    client.sendall(b"go\n")
    assert received(client, CUT)[:CUT] == SENT[:CUT]
    proxy.down()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), 10)
    client.sendall(b"bye\n")
    assert len(b"".join(iter(lambda: client.recv(65536), b""))) > SIZE // 2
    proxy.up()
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as again:
        again.sendall(b"go\n")
        assert received(again) == SENT


def test_closing_frees_a_client_that_does_not_read(proxy, client):
    client.sendall(b"go\n" * 50)
    proxy.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), 10)
