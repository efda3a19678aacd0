"""Hanging up on a silent peer fails whoever waits, and nobody else."""

import socket
import threading
from pathlib import Path

import pytest

from rowlift.kit.patience import hang_up_marked, hung_up_after, new_mark

DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture
def connected():
    """Two connections to a server that says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        clients = [socket.create_connection(listener.getsockname(), 10) for _ in range(2)]
        servers = [listener.accept()[0] for _ in clients]
        yield clients
        for one in (*clients, *servers):
            one.close()


def test_a_wait_that_takes_too_long_ends(connected):
    silent, other = connected
    with hung_up_after(0.1, silent.fileno()):
        assert silent.recv(1) == b""
    other.settimeout(0.1)
    with pytest.raises(TimeoutError):
        other.recv(1)


def test_a_wait_that_ended_in_time_is_left_alone(connected):
    silent, _ = connected
    with hung_up_after(0.1, silent.fileno()):
        pass
    silent.settimeout(0.3)
    with pytest.raises(TimeoutError):
        silent.recv(1)


def test_only_sockets_with_the_mark_are_hung_up(connected):
    marked, other = connected
    marks = [new_mark() for _ in connected]
    for one, mark in zip(connected, marks, strict=True):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, mark)
    before = len(list(DESCRIPTORS.iterdir()))
    waiting = threading.Timer(0.1, hang_up_marked, [marks[0]])
    waiting.start()
    assert marked.recv(1) == b""
    waiting.join()
    assert len(list(DESCRIPTORS.iterdir())) == before
    other.settimeout(0.1)
    with pytest.raises(TimeoutError):
        other.recv(1)
