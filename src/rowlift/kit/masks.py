"""Requests and replies made fit to be shown: without secrets, and on demand without values."""

import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from pydantic import BaseModel, SecretStr

from rowlift.kit.addresses import target
from rowlift.kit.exchange import Passed
from rowlift.kit.scrub import starred

MASK = "***"
LONGEST_BODY = 4000  # characters that are shown
_LOOKED_AT = 16_000  # bytes that are read for it
_LONGEST_ESCAPE = 6  # characters, \u0041, for one of a secret
_LONGEST_URL = 300
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_PLAIN = frozenset({
    "accept", "connection", "content-encoding", "content-length", "content-type", "date", "host",
    "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after", "server",
    "transfer-encoding", "user-agent", "webhook-id", "webhook-timestamp", "x-request-id",
})  # fmt: skip
_WORD = re.compile(
    r'(?P<shown>"[A-Za-z_$][\w$.-]{0,99}"\s*:|(?:true|false|null)(?![^\s\]},]))'
    r'|"(?:[^"\\]|\\.)*(?:"|\\?$)'
    r'|[^\s\[\]{},:"]+',
    re.DOTALL,
)
_ADDRESS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>[^\s/?#@]*@)?(?P<host>[^\s/?#]*)(?P<path>[/?#]\S*)?",
    re.IGNORECASE,
)
_STRUCTURE = re.compile(r"\s*[\[{]")


def secrets_of(config: BaseModel) -> list[str]:
    """Return every secret of a connection's settings, and what its addresses may hold of them."""
    return list(_secrets(config.model_dump()))


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
        yield from _tokens(value.get_secret_value())
    elif isinstance(value, str):
        yield from _tokens(value)
    elif isinstance(value, Mapping):
        yield from _each(value.values())
    elif isinstance(value, list | tuple):
        yield from _each(value)


def _each(values: Iterable[object]) -> Iterator[str]:
    for one in values:
        yield from _secrets(one)


def _tokens(text: str) -> Sequence[str]:
    """Return what may be secret in the path of an address."""
    try:
        return target(text).tokens
    except ValueError:
        return ()


class Cover:
    """Hides the secrets of one connection, and whatever stands in headers that may hold one."""

    def __init__(self, secrets: Collection[str]) -> None:
        self._secrets = secrets

    def of(self, passed: Passed) -> "Cover":
        """Return what hides the secret headers of a request too."""
        hidden = [value for name, value in passed.headers.items() if name.lower() not in _PLAIN]
        words = [word for value in hidden for word in (value, value.rpartition(" ")[2])]
        return Cover({*self._secrets, *words, *(word.rstrip("=") for word in words)})

    def headers(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return headers by name; only of those that are known to be harmless the value."""
        return {
            name: starred(value, self._secrets) if name.lower() in _PLAIN else MASK
            for name, value in given.items()
        }

    def url(self, passed: Passed) -> str:
        """Return where a request went."""
        return starred(f"{passed.wanted}{passed.wanted.path}", self._secrets)[:_LONGEST_URL]

    def body(self, body: bytes, encoding: str = "") -> str:
        """Return the beginning of a body, decompressed if it has to be."""
        plain = _inflated(body) if encoding == "gzip" else body[: _LOOKED_AT + 1]
        read = plain[:_LOOKED_AT].decode("utf-8", "replace").replace("\0", "\ufffd")
        text = starred(read, self._secrets)
        if len(plain) > _LOOKED_AT:  # a secret may have been cut there
            longest = max(map(len, self._secrets), default=0) * _LONGEST_ESCAPE
            text = text[: max(0, len(text) - longest)]
        return text if len(text) < LONGEST_BODY else text[: LONGEST_BODY - 1] + "…"


def without_values(text: str) -> str:
    """Return JSON, also if it is cut, with the names of its members only; nothing of other text."""
    if not _STRUCTURE.match(text):
        return f"({len(text):,} characters)" if text else ""
    return _WORD.sub(lambda found: found["shown"] or MASK, text)


def without_path(text: str) -> str:
    """Return a text in which addresses have no user and no path, as either may be a secret."""
    return _ADDRESS.sub(_origin, text)


def _origin(found: re.Match[str]) -> str:
    hidden = f"/{MASK}" if found["path"] not in (None, "/") else found["path"] or ""
    return f"{found['scheme']}{found['host']}{hidden}"


def _inflated(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, _LOOKED_AT + 1)
    except zlib.error:
        return b""
