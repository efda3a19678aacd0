"""Standard Webhooks signatures, symmetric (v1)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64  # bytes of a decoded secret, by the specification


def signing_key(secret: str) -> bytes:
    """Return the bytes of a `whsec_…` secret; ValueError never repeats it."""
    text = secret.removeprefix(_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError("a signing secret is whsec_ followed by base64") from None
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError("a signing secret holds 24 to 64 bytes")
    return key


def signature(keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` of exactly these bytes, one entry per key."""
    content = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.new(key, content, hashlib.sha256).digest() for key in keys)
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)
