"""One request as a call: its size, form and key are checked; what it says is judged later.

Sizes and answers are those of Segment's HTTP Tracking API: 32 KB a message, 500 KB a batch.
"""

import base64
import json
import zlib
from collections import Counter
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from typing import Any

from rowlift.web.bodies import MOST_DIGITS, parsed

MESSAGE_BYTES = 32 << 10
BATCH_BYTES = 500 << 10

TYPES = {"i": "identify", "g": "group", "t": "track", "p": "page", "s": "screen", "a": "alias"}
BATCHES = ("batch", "b", "import")
REFUSED: Counter[str] = Counter()  # requests by code, since the process began
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Call:
    """A body that is JSON of the right form; `type` is empty for a batch."""

    type: str
    write_key: str
    body: bytes


class Refused(Exception):
    """A request that is not taken: its status, a code and a message for the sender."""

    def __init__(self, status: int, code: str, message: str, retry_after: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after


def type_of(path: str) -> str | None:
    """Return the type of the messages that are posted to a path; empty for batches."""
    if path in BATCHES:
        return ""
    return TYPES.get(path) or (path if path in TYPES.values() else None)


async def received(stream: AsyncIterable[bytes], headers: Mapping[str, str]) -> bytes:
    """Return the body as it was before it was compressed; raises Refused where it is too large."""
    parts: list[bytes] = []
    size = 0
    async for part in stream:
        size += len(part)
        if size > BATCH_BYTES:
            raise _too_large()
        parts.append(part)
    body = b"".join(parts)
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise Refused(400, "bad_request", "Content-Encoding is gzip or nothing.")
    return _decompressed(body)


def _decompressed(body: bytes) -> bytes:
    """Never more than a batch may have, whatever the body would become."""
    decompressor = zlib.decompressobj(_GZIP)
    try:
        plain = decompressor.decompress(body, BATCH_BYTES + 1)
    except zlib.error:
        raise Refused(400, "bad_request", "The body is not gzip.") from None
    if len(plain) > BATCH_BYTES:
        raise _too_large()
    if not decompressor.eof or decompressor.unused_data:
        raise Refused(400, "bad_request", "The gzip body is cut short, or goes on after its end.")
    return plain


def call(type_: str, body: bytes, headers: Mapping[str, str]) -> Call:
    """Return what a request asks; raises Refused where it cannot be read or is too large."""
    read = _parsed(body)
    if not isinstance(read, dict):
        raise Refused(400, "bad_request", "The body is a JSON object.")
    messages = [read] if type_ else read.get("batch")
    if not isinstance(messages, list):
        raise Refused(400, "bad_request", "batch is a list of messages.")
    if len(body) > MESSAGE_BYTES and any(_size(one) > MESSAGE_BYTES for one in messages):
        raise _too_large()
    return Call(type_, _basic(headers) or _key_of(read), body)


def _parsed(body: bytes) -> Any:
    """A member that stands twice is what it is the last time, to whoever writes it too."""
    try:
        return parsed(body, parse_int=_integer)
    except ValueError as error:
        raise Refused(400, "bad_request", f"The body is no JSON: {error}.") from None


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= MOST_DIGITS else digits


def _size(message: Any) -> int:
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode(errors="surrogatepass"))


def _basic(headers: Mapping[str, str]) -> str:
    """The user name of basic authentication; the password is empty."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(given.strip(), validate=True).decode().partition(":")[0]
    except ValueError:
        return ""


def _key_of(body: Mapping[str, Any]) -> str:
    given = body.get("writeKey")
    return given if isinstance(given, str) and given.isascii() else ""


def _too_large() -> Refused:
    return Refused(400, "payload_too_large", "Exceed payload limit")
