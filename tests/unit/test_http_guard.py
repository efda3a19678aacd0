"""Where outgoing requests may go, and what one try makes of every answer."""

import re
import socket
import ssl
import threading

import pytest
import trustme

import corpus
from rowlift.core import faults
from rowlift.core.errors import DestinationError
from rowlift.kit.addresses import AddressGuard, normal_host, system_resolver, target
from rowlift.kit.exchange import NoReply, Reply
from rowlift.kit.http import Http
from rowlift.testing import misbehaviour as m
from rowlift.testing.sink import Sink

LOOPBACK = ("127.0.0.0/8",)
PUBLIC = "93.184.215.14"
LINES = (corpus.FOLDER / "ssrf_urls.txt").read_text().split("\n")
HOSTILE = [line for line in LINES if line and not line.startswith("#")]


@pytest.fixture
def sink():
    with Sink() as one:
        yield one


@pytest.fixture
def listener():
    """Counts connections on every IPv4 and IPv6 address of this machine."""
    reached = []
    server = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)

    def accept():
        while True:
            try:
                connection, address = server.accept()
            except OSError:
                return
            connection.close()
            reached.append(address)

    thread = threading.Thread(target=accept)
    thread.start()
    yield server.getsockname()[1], reached
    server.shutdown(socket.SHUT_RDWR)
    thread.join()
    server.close()


@pytest.fixture
def built():
    """Build clients that are closed at the end."""
    clients = []

    def build(*args, **options):
        clients.append(Http(*args, **options))
        return clients[-1]

    yield build
    for client in clients:
        client.close()


def answers(*addresses):
    return lambda _host, _port: addresses


def refusal(http, url):
    with pytest.raises(DestinationError) as caught:
        http.request("POST", url, b"{}")
    return caught.value


def test_S20_the_list_is_long_enough():
    assert len(set(HOSTILE)) >= 60


@pytest.mark.parametrize("line", HOSTILE)
def test_S20_no_hostile_url_reaches_anything(built, listener, line):
    port, reached = listener
    url, _, stub = line.replace("{port}", str(port)).partition(" -> ")
    resolver = answers(*stub.split()) if stub else system_resolver
    caught = refusal(built(resolver=resolver, allow_ports={443, port}), url)
    assert caught.code == "ADDRESS_REFUSED"
    assert caught.mend
    # The listener itself works, and nobody else got through to it before.
    socket.create_connection(("127.0.0.1", port)).close()
    wait_until(lambda: reached)
    assert len(reached) == 1


def wait_until(condition):
    done = threading.Event()
    for _ in range(500):
        if condition():
            return
        done.wait(0.01)
    raise AssertionError("it never came true")


def test_S20_an_allowed_loopback_is_reached(built, sink):
    assert built(LOOPBACK).request("POST", sink.url, b"{}").status == 200


def test_S20_a_name_can_be_allowed_over_plain_http(built, sink):
    http = built(["Sink.Internal"], resolver=answers("127.0.0.1"))
    assert http.request("POST", f"http://sink.internal:{sink.port}/", b"{}").status == 200
    assert sink.requests[0].headers["host"] == f"sink.internal:{sink.port}"
    assert refusal(http, f"http://other.internal:{sink.port}/").code == "ADDRESS_REFUSED"


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "fd00:ec2::254",
        "fe80::1",
        "224.0.0.1",
        "ff02::1",
    ],
)
def test_S20_no_allow_list_opens_metadata_services(built, address):
    http = built(["0.0.0.0/0", "::/0", "x.example"], resolver=answers(address))
    assert "metadata" in refusal(http, "https://x.example/").message


def test_S20_every_answer_of_the_resolver_must_be_allowed(built):
    for mixed in ((PUBLIC, "127.0.0.1"), ("127.0.0.1", PUBLIC), (PUBLIC, "::1")):
        http = built(resolver=answers(*mixed))
        assert "not public" in refusal(http, "https://mixed.example/").message


def test_S20_the_checked_address_is_the_one_connected_to(built, sink):
    asked = []

    def rebinding(host, _port):
        asked.append(host)
        return ("127.0.0.1",) if len(asked) == 1 else ("10.0.0.1",)

    http = built(LOOPBACK, resolver=rebinding)
    for _ in range(3):
        assert http.request("POST", f"http://name.example:{sink.port}/", b"{}").status == 200
    assert asked == ["name.example"]
    assert sink.connections == 1


@pytest.mark.parametrize("port", [80, 443])
def test_S20_plain_http_to_a_public_address_is_refused_at_any_port(built, port):
    http = built(resolver=answers(PUBLIC), allow_ports={80, 443})
    assert "plain http" in refusal(http, f"http://public.example:{port}/").message


def test_S20_a_public_https_address_passes_the_guard():
    for address in (PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "8.8.8.8", "1.1.1.1"):
        guard = AddressGuard(resolver=answers(address))
        assert guard.addresses(target("https://public.example/")) == (address,)


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("EXAMPLE.org", "example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("\uff25XAMPLE.org", "example.org"),
        ("example.org.", "example.org"),
        ("my_service", "my_service"),
        ("[::0001]", "::1"),
    ],
)
def test_S22_names_are_compared_after_idna(name, normal):
    assert normal_host(name) == normal


def test_S22_an_allowed_name_is_the_same_in_unicode_and_punycode(built, sink):
    http = built(["bücher.internal"], resolver=answers("127.0.0.1"))
    url = f"http://xn--bcher-kva.internal:{sink.port}/"
    assert http.request("POST", url, b"{}").status == 200


def test_paths_and_queries_travel_as_written(built, sink):
    url = f"{sink.url}/a%20b/ü?x=1&y=[2]#fragment"
    built(LOOPBACK).request("POST", url, b"{}")
    assert sink.requests[0].path == "/a%20b/%C3%BC?x=1&y=[2]"


def test_an_error_shows_the_origin_and_never_the_path(built):
    http = built(resolver=answers("10.0.0.1"))
    words = str(refusal(http, "https://hooks.example/services/T0KEN?key=s3cret"))
    assert "https://hooks.example" in words
    assert "T0KEN" not in words
    assert "s3cret" not in words


def test_F55_a_name_that_does_not_resolve_was_never_reached(built):
    def failing(_host, _port):
        raise socket.gaierror(-2, "Name or service not known")

    answer = built(resolver=failing).request("POST", "https://gone.example/", b"")
    assert answer == NoReply(
        in_doubt=False, reason="the name of https://gone.example does not resolve"
    )


@pytest.mark.parametrize("way", [m.status(503), m.reset_after_body()])
def test_F55_after_trouble_the_name_is_asked_again(built, sink, way):
    places = ["127.0.0.1", "127.0.0.2"]
    http = built(LOOPBACK, resolver=lambda _host, _port: (places[0],))
    url = f"http://moving.example:{sink.port}/"
    sink.misbehave(way)
    http.request("POST", url, b"{}")
    places.pop(0)
    answer = http.request("POST", url, b"{}")
    assert answer.reason == f"{url[:-1]} cannot be reached: Connection refused"


def test_F55_a_kept_connection_to_an_old_address_is_not_used(built, sink):
    places = ["127.0.0.1"]
    http = built(LOOPBACK, resolver=lambda _host, _port: tuple(places), resolve_every=0)
    url = f"http://moving.example:{sink.port}/"
    assert [http.request("POST", url, b"{}").status for _ in range(2)] == [200, 200]
    assert sink.connections == 1
    places[0] = "127.0.0.2"
    assert not http.request("POST", url, b"{}").in_doubt


def test_F55_the_next_address_is_tried_when_one_is_dead(built, sink):
    http = built(LOOPBACK, resolver=answers("127.0.0.9", "127.0.0.1"))
    assert http.request("POST", f"http://two.example:{sink.port}/", b"{}").status == 200


def test_connections_are_kept_and_replaced_when_closed(built):
    http = built(LOOPBACK)
    with Sink() as sink:
        for _ in range(5):
            http.request("POST", sink.url, b"{}")
        assert sink.connections == 1
        sink.misbehave(m.status(200))
        http.request("POST", sink.url, b"{}")
        http.request("POST", sink.url, b"{}")
        assert sink.connections == 2


def test_a_connection_the_server_closed_while_idle_is_not_used(built):
    http = built(LOOPBACK)
    with Sink() as sink:
        http.request("POST", sink.url, b"{}")
    answer = http.request("POST", sink.url, b"{}")
    assert (answer.in_doubt, answer.reason[-18:]) == (False, "Connection refused")


def test_many_threads_share_one_client(built, sink):
    http = built(LOOPBACK)
    body = b'{"batch":[{"messageId":"%d","userId":"u"}]}'
    threads = [
        threading.Thread(
            target=lambda at=at: [http.request("POST", sink.url, body % at) for _ in range(20)]
        )
        for at in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sink.requests) == 160
    assert len(sink.taken.records) == 8
    assert sink.connections <= 8


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        (m.garbage(), "it did not speak HTTP"),
        (m.reset_before_body(), "Connection reset by peer|it closed the connection"),
        (m.half_reply(), "the reply broke off in its headers"),
        (m.Misbehaviour(), "it closed the connection"),
    ],
)
def test_F47_without_a_reply_it_is_in_doubt(built, sink, way, reason):
    sink.misbehave(way)
    answer = built(LOOPBACK).request("POST", sink.url, b'{"more":"%s"}' % (b"x" * 1000))
    assert answer.in_doubt
    assert re.search(f"({reason})$", answer.reason)


@pytest.mark.parametrize("way", [m.slow_reply(0.02), m.endless_headers(), m.late(60)])
def test_F49_the_deadline_holds_however_the_bytes_drip(built, sink, way):
    sink.misbehave(way)
    answer = built(LOOPBACK, deadline=0.5).request("POST", sink.url, b"{}")
    assert answer.in_doubt


def test_F49_a_receiver_that_does_not_read_runs_into_the_deadline(built):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        answer = built(LOOPBACK, deadline=0.5).request("POST", url, b"x" * 20_000_000)
    assert answer == NoReply(in_doubt=True, reason="no reply: it took too long")


@pytest.mark.parametrize(
    "way", [m.gzip_bomb(), m.endless_body(), m.wrong_encoding(), m.lying_length()]
)
def test_F51_a_reply_is_capped_and_says_that_it_is_not_whole(built, sink, way):
    sink.misbehave(way)
    answer = built(LOOPBACK).request("POST", sink.url, b"{}")
    assert (answer.status, answer.whole) == (200, False)
    assert len(answer.body) <= 1_000_001


def test_F51_a_gzipped_reply_is_read(built, sink):
    sink.misbehave(m.gzip_bomb(1000))
    answer = built(LOOPBACK).request("POST", sink.url, b"{}")
    assert (answer.whole, answer.body) == (True, b" " * 1000)


def test_F51_an_unknown_encoding_is_not_whole(built, sink):
    sink.misbehave(m.Misbehaviour(m.answer(200, b"x", {"Content-Encoding": "br"})))
    assert not built(LOOPBACK).request("POST", sink.url, b"{}").whole


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_F52_redirects_are_answers(built, sink, status):
    sink.misbehave(m.redirect(status, sink.url))
    assert built(LOOPBACK).request("POST", sink.url, b"{}").status == status
    assert sink.connections == 1


def test_an_early_refusal_of_a_large_body_is_heard(built, sink):
    early = m.answer(413, b"too much")
    sink.misbehave(m.Misbehaviour(early))
    assert built(LOOPBACK).request("POST", sink.url, b"x" * 5_000_000).status == 413


def test_F56_proxies_of_the_environment_are_not_asked(built, sink, monkeypatch):
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert built(LOOPBACK).request("POST", sink.url, b"{}").status == 200


def test_the_points_stand_around_the_send(built, sink, tmp_path):
    faults.arm(record=str(tmp_path / "points"))
    try:
        built(LOOPBACK).request("POST", sink.url, b"{}")
    finally:
        faults.arm()
    assert (tmp_path / "points").read_text().split() == ["http.before_send", "http.after_send"]


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def secure(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("sink.example").configure_cert(context)
    with Sink(context=context) as sink:
        yield sink


@pytest.fixture
def trusted(authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


def test_S20_tls_asks_for_the_name_at_the_pinned_address(built, secure, trusted):
    http = built(LOOPBACK, resolver=answers("127.0.0.1"), ca_file=trusted)
    url = f"https://sink.example:{secure.port}/"
    assert [http.request("POST", url, b"{}").status for _ in range(3)] == [200] * 3
    assert secure.connections == 1


@pytest.mark.parametrize(
    ("host", "trust", "words"),
    [
        ("other.example", True, "its certificate is not valid"),
        ("127.0.0.1", True, "its certificate is not valid"),
        ("sink.example", False, "its certificate is not valid"),
    ],
)
def test_F34_an_unverified_certificate_is_never_spoken_to(
    built, secure, trusted, host, trust, words
):
    options = {"ca_file": trusted} if trust else {}
    http = built(LOOPBACK, resolver=answers("127.0.0.1"), **options)
    answer = http.request("POST", f"https://{host}:{secure.port}/", b"secret")
    assert not answer.in_doubt
    assert words in answer.reason
    assert not secure.seen


def test_F34_a_server_without_tls_is_never_spoken_to(built, sink):
    answer = built(LOOPBACK, deadline=2).request("POST", f"https://127.0.0.1:{sink.port}/", b"x")
    assert isinstance(answer, NoReply)
    assert not answer.in_doubt
    assert not sink.seen


def test_a_reply_is_a_value(built, sink):
    answer = built(LOOPBACK).request("POST", sink.url, b"{}")
    assert isinstance(answer, Reply)
    assert answer.headers["content-length"] == "16"
