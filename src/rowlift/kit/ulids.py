"""ULIDs that are always the same for the same message: 48 bits of time, 80 of its digest."""

import hashlib
from datetime import datetime

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 26
_DIGEST_BYTES = 10
_LATEST = (1 << 48) - 1


def ulid(moment: str, message_id: str) -> str:
    """Return the ULID of a message that happened at a moment in ISO 8601."""
    milliseconds = round(datetime.fromisoformat(moment).timestamp() * 1000)
    digest = hashlib.sha256(message_id.encode()).digest()[:_DIGEST_BYTES]
    time = min(max(milliseconds, 0), _LATEST)
    number = time << (8 * _DIGEST_BYTES) | int.from_bytes(digest, "big")
    return "".join(_LETTERS[number >> (5 * at) & 31] for at in reversed(range(_LENGTH)))
