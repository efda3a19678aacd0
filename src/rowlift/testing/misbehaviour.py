"""What a receiver can do wrong, as values a test hands to the sink."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass

_OK = b'{"success":true}'


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """One way to answer one request; the connection is closed after `raw`.

    `apply` tells whether the records count as received; `drip` is the pause in seconds after each
    byte of the answer, `wait` the one before it; `endless` is repeated until the client leaves;
    the records at the indexes `refused` are never applied.
    """

    raw: bytes = b""
    apply: bool = False
    read_body: bool = True
    reset: bool = False
    wait: float = 0.0
    drip: float = 0.0
    endless: bytes = b""
    refused: frozenset[int] = frozenset()


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """Return a whole HTTP answer that ends the connection."""
    given = {"Content-Length": str(len(body)), "Connection": "close"} | dict(headers or {})
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} Because\r\n{lines}\r\n".encode() + body


def status(
    code: int, body: bytes = b"", *, retry_after: str | None = None, apply: bool = False
) -> Misbehaviour:
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return Misbehaviour(answer(code, body, headers), apply=apply)


def redirect(code: int, location: str) -> Misbehaviour:
    return Misbehaviour(answer(code, headers={"Location": location}))


def reset_before_body() -> Misbehaviour:
    return Misbehaviour(read_body=False, reset=True)


def reset_after_body() -> Misbehaviour:
    return Misbehaviour(reset=True)


def lost_reply() -> Misbehaviour:
    """The records are taken, the answer never arrives."""
    return Misbehaviour(apply=True, reset=True)


def half_reply() -> Misbehaviour:
    """The records are taken, the answer breaks off in its headers."""
    return Misbehaviour(answer(200, _OK)[:30], apply=True)


def lying_length() -> Misbehaviour:
    """The records are taken, the body is shorter than announced."""
    return Misbehaviour(answer(200, _OK, {"Content-Length": "5000"}), apply=True)


def truncated_json() -> Misbehaviour:
    return Misbehaviour(answer(200, _OK[:-4]), apply=True)


def empty() -> Misbehaviour:
    return Misbehaviour(answer(200), apply=True)


def login_page() -> Misbehaviour:
    page = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>"
    return Misbehaviour(answer(200, page, {"Content-Type": "text/html"}))


def wrong_charset() -> Misbehaviour:
    return Misbehaviour(answer(200, "{'succès':1}".encode("utf-16")), apply=True)


def garbage() -> Misbehaviour:
    """Bytes that are no HTTP."""
    return Misbehaviour(b"\x00\x16SSH-2.0-what\r\n\r\n" * 3)


def gzip_bomb(size: int = 200_000_000) -> Misbehaviour:
    bomb = gzip.compress(b" " * size, 9)
    return Misbehaviour(answer(200, bomb, {"Content-Encoding": "gzip"}), apply=True)


def wrong_encoding() -> Misbehaviour:
    """A body that is not what its Content-Encoding says."""
    return Misbehaviour(answer(200, _OK, {"Content-Encoding": "gzip"}), apply=True)


def endless_body() -> Misbehaviour:
    head = answer(200).replace(b"Content-Length: 0\r\n", b"")
    return Misbehaviour(head, apply=True, endless=b"x" * 65536)


def endless_headers() -> Misbehaviour:
    return Misbehaviour(b"HTTP/1.1 200 OK\r\n", apply=True, endless=b"X-More: and more\r\n" * 10)


def slow_reply(pause: float = 0.05) -> Misbehaviour:
    """A byte now and then, for ever."""
    return Misbehaviour(answer(200, _OK * 100), apply=True, drip=pause)


def late(seconds: float) -> Misbehaviour:
    """A good answer after a while."""
    return Misbehaviour(answer(200, _OK), apply=True, wait=seconds)


def partial(errors: Mapping[int, tuple[str, str, bool]]) -> Misbehaviour:
    """207 with (code, message, retryable) by index; the sink applies the other records."""
    listed = [
        {"index": index, "code": code, "message": message, "retryable": retryable}
        for index, (code, message, retryable) in errors.items()
    ]
    body = json.dumps({"errors": listed}).encode()
    return Misbehaviour(answer(207, body), apply=True, refused=frozenset(errors))
