"""What a receiver can do wrong, as values a test hands to the sink."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

_OK = b'{"success":true}'


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """One way to answer one request.

    `take` is how many bytes of the body are read, None for all; `apply` tells whether its records
    count as received, but never those at the indexes `refused`. The answer `raw` comes after `wait`
    seconds, with a pause of `drip` seconds after each byte; then `endless` is repeated until the
    client leaves, with the same pause. In the `end` the connection is closed, reset, closed for
    sending only, held open in silence, or kept for the next request.
    """

    raw: bytes = b""
    apply: bool = False
    take: int | None = None
    wait: float = 0.0
    drip: float = 0.0
    endless: bytes = b""
    refused: frozenset[int] = frozenset()
    end: Literal["close", "reset", "half-close", "hold", "keep"] = "close"


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """Return a whole HTTP answer that ends the connection."""
    given = {"Content-Length": str(len(body)), "Connection": "close"} | dict(headers or {})
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} Because\r\n{lines}\r\n".encode() + body


def kept(status: int, body: bytes = b"") -> bytes:
    """Return a whole HTTP answer after which the connection goes on."""
    return answer(status, body).replace(b"Connection: close\r\n", b"")


def status(
    code: int, body: bytes = b"", *, retry_after: str | None = None, apply: bool = False
) -> Misbehaviour:
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return Misbehaviour(answer(code, body, headers), apply=apply)


def redirect(code: int, location: str) -> Misbehaviour:
    return Misbehaviour(answer(code, headers={"Location": location}))


def reset_before_body() -> Misbehaviour:
    return Misbehaviour(take=0, end="reset")


def reset_during_body() -> Misbehaviour:
    return Misbehaviour(take=10, end="reset")


def reset_after_body() -> Misbehaviour:
    return Misbehaviour(end="reset")


def reset_in_reply() -> Misbehaviour:
    """The records are taken, the answer is reset between its headers and its body."""
    return Misbehaviour(answer(200, _OK)[: -len(_OK)], apply=True, end="reset")


def lost_reply() -> Misbehaviour:
    """The records are taken, the answer never arrives."""
    return Misbehaviour(apply=True, end="reset")


def half_reply() -> Misbehaviour:
    """The records are taken, the answer breaks off in its headers."""
    return Misbehaviour(answer(200, _OK)[:30], apply=True)


def half_closed() -> Misbehaviour:
    """The records are taken, and nothing more will be said: but the client may go on."""
    return Misbehaviour(apply=True, end="half-close")


def half_open() -> Misbehaviour:
    """The receiver is gone without a word, as after a power cut; the connection stays."""
    return Misbehaviour(take=0, end="hold")


def silent() -> Misbehaviour:
    """The records are taken, and then there is silence."""
    return Misbehaviour(apply=True, end="hold")


def lying_length(length: int = 5000) -> Misbehaviour:
    """The records are taken, the body is shorter than announced."""
    return Misbehaviour(answer(200, _OK, {"Content-Length": str(length)}), apply=True)


def short_length() -> Misbehaviour:
    """The records are taken, the body is longer than announced, and the connection is kept."""
    raw = answer(200, _OK, {"Content-Length": "7", "Connection": "keep-alive"})
    return Misbehaviour(raw, apply=True, end="keep")


def broken_chunks() -> Misbehaviour:
    """The records are taken, the body is in chunks whose sizes are no numbers."""
    return Misbehaviour(_chunked(b"zz\r\n" + _OK + b"\r\n0\r\n\r\n"), apply=True)


def cut_chunks() -> Misbehaviour:
    """The records are taken, the last chunk of the body never comes."""
    return Misbehaviour(_chunked(b"%x\r\n%s\r\n" % (len(_OK), _OK)), apply=True)


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


def many_headers() -> Misbehaviour:
    """More headers than anybody has."""
    headers = {f"X-{number}": "x" for number in range(500)}
    return Misbehaviour(answer(200, _OK, headers), apply=True)


def gzip_bomb(size: int = 20_000_000) -> Misbehaviour:
    bomb = gzip.compress(b" " * size, 9)
    return Misbehaviour(answer(200, bomb, {"Content-Encoding": "gzip"}), apply=True)


def wrong_encoding(name: str = "gzip") -> Misbehaviour:
    """A body that is not what its Content-Encoding says."""
    return Misbehaviour(answer(200, _OK, {"Content-Encoding": name}), apply=True)


def cut_gzip() -> Misbehaviour:
    """A compressed body without its end."""
    packed = gzip.compress(_OK)[:-6]
    return Misbehaviour(answer(200, packed, {"Content-Encoding": "gzip"}), apply=True)


def endless_body() -> Misbehaviour:
    head = answer(200).replace(b"Content-Length: 0\r\n", b"")
    return Misbehaviour(head, apply=True, endless=b"x" * 65536)


def endless_headers() -> Misbehaviour:
    return Misbehaviour(b"HTTP/1.1 200 OK\r\n", apply=True, endless=b"X-More: and more\r\n" * 10)


def endless_continue() -> Misbehaviour:
    """One interim answer after the other."""
    return Misbehaviour(apply=True, endless=b"HTTP/1.1 100 Continue\r\n\r\n")


def slow_reply(pause: float = 0.05) -> Misbehaviour:
    """A byte now and then, for ever."""
    return Misbehaviour(answer(200, _OK * 100), apply=True, drip=pause)


def slow_body(pause: float = 0.05) -> Misbehaviour:
    """The headers at once, then a byte now and then, for ever."""
    head = answer(200).replace(b"Content-Length: 0\r\n", b"")
    return Misbehaviour(head, apply=True, endless=b"x", drip=pause)


def late(seconds: float) -> Misbehaviour:
    """A good answer after a while."""
    return Misbehaviour(answer(200, _OK), apply=True, wait=seconds)


def good_bye() -> Misbehaviour:
    """A good answer that promises to keep the connection, and closes it."""
    raw = answer(200, _OK, {"Connection": "keep-alive"})
    return Misbehaviour(raw, apply=True)


def two_replies() -> Misbehaviour:
    """Two good answers to one request, on a connection that is kept."""
    raw = answer(200, _OK, {"Connection": "keep-alive"})
    return Misbehaviour(raw * 2, apply=True, end="keep")


def partial(errors: Mapping[int, tuple[str, str, bool]], status: int = 207) -> Misbehaviour:
    """Name (code, message, retryable) by index; the sink applies the other records."""
    listed = [
        {"index": index, "code": code, "message": message, "retryable": retryable}
        for index, (code, message, retryable) in errors.items()
    ]
    body = json.dumps({"errors": listed}).encode()
    return Misbehaviour(answer(status, body), apply=True, refused=frozenset(errors))


def _chunked(body: bytes) -> bytes:
    return (
        answer(200, headers={"Transfer-Encoding": "chunked"}).replace(b"Content-Length: 0\r\n", b"")
        + body
    )
