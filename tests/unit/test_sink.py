"""The sink misbehaves as it says: raw sockets look at what a client would see."""

import json
import socket

import pytest

from rowlift.testing import misbehaviour as m
from rowlift.testing.sink import Sink

BODY = json.dumps({"batch": [{"messageId": "1", "userId": "a"}, {"messageId": "2", "userId": "b"}]})
REQUEST = f"POST /v1/batch HTTP/1.1\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}".encode()


@pytest.fixture
def sink():
    with Sink() as sink:
        yield sink


@pytest.fixture
def client(sink):
    with socket.create_connection(("127.0.0.1", sink.port), 10) as client:
        yield client


def everything(client):
    return b"".join(iter(lambda: client.recv(65536), b""))


def test_good_answers_keep_the_connection_and_forget_repeats(sink, client):
    for _ in range(2):
        client.sendall(REQUEST)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert list(sink.taken.by_key) == ["a", "b"]
    assert (sink.taken.repeats, len(sink.requests), sink.connections) == (2, 2, 1)


def test_a_poisoned_record_refuses_all(sink, client):
    sink.poison.add("b")
    client.sendall(REQUEST)
    assert client.recv(65536).startswith(b"HTTP/1.1 400 ")
    assert (len(sink.seen), sink.requests, sink.taken.records) == (1, [], {})


@pytest.mark.parametrize("way", [m.lost_reply(), m.silent(), m.half_closed(), m.late(0)])
def test_a_lost_reply_has_been_applied(sink, client, way):
    sink.misbehave(way)
    client.sendall(REQUEST)
    client.settimeout(0.2)
    try:
        answer = client.recv(65536)
    except (ConnectionResetError, TimeoutError):
        answer = b""
    assert (answer != b"") == (way == m.late(0))
    assert list(sink.taken.by_key) == ["a", "b"]


@pytest.mark.parametrize("way", [m.reset_before_body(), m.reset_during_body()])
def test_a_reset_before_the_end_has_applied_nothing(sink, client, way):
    sink.misbehave(way)
    client.sendall(REQUEST)
    with pytest.raises(ConnectionResetError):
        everything(client)
    assert sink.seen == []


def test_a_half_open_connection_is_held_without_a_word(sink, client):
    sink.misbehave(m.half_open())
    client.sendall(REQUEST)
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.close()
    sink.wait_until_idle()


def test_ways_come_in_turn_and_none_of_them_is_a_good_one(sink):
    sink.misbehave(m.status(500), None, m.redirect(307, "http://10.0.0.1/"))
    seen = []
    for _ in range(4):
        with socket.create_connection(("127.0.0.1", sink.port), 10) as client:
            client.sendall(REQUEST)
            seen.append(client.recv(65536).split()[1])
    assert seen == [b"500", b"200", b"307", b"200"]


def test_a_partial_answer_applies_the_other_records(sink, client):
    sink.misbehave(m.partial({1: ("bad", "no", False)}))
    client.sendall(REQUEST)
    head, _, body = everything(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 207 ")
    assert json.loads(body)["errors"][0]["index"] == 1
    assert list(sink.taken.by_key) == ["a"]


def test_an_endless_body_ends_with_its_reader(sink, client):
    sink.misbehave(m.endless_body())
    client.sendall(REQUEST)
    size = 0
    while size < 3_000_000:
        size += len(client.recv(65536))
    client.close()
    sink.wait_until_idle()
