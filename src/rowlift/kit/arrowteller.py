"""What a child of `arrowchild` does: hear what is asked, and hand over Arrow batches.

It loads nothing that its driver could load while the server already works.
"""

import json
import os
import select
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

END = "end"
UNPACKED_BYTES = 128 * 1024 * 1024  # of a spool; what comes after them takes the time to be packed


def asked() -> Any:
    """Return, in the child, what the parent asked for; from then on the child ends with it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return json.load(sys.stdin)


def _end_with_parent() -> None:
    """End when nobody listens any more, also while the driver waits for its server."""
    listener = select.poll()
    listener.register(sys.stdout, 0)  # an error, which is what the other end's closing is, comes
    listener.poll()
    os._exit(1)


def say(something: Any) -> None:
    """Let the parent hear, from the child and before all batches, something that fits into JSON."""
    sys.stdout.write(f"{json.dumps(something)}\n")
    sys.stdout.flush()


def tell(schema: "pa.Schema", batches: "Iterable[pa.RecordBatch]") -> None:
    """Hand, in the child, all batches to the parent."""
    import pyarrow as pa

    codec = pa.Codec("lz4")
    with open(int(sys.argv[1]), "wb") as spool:  # noqa: PTH123 - a descriptor, not a path
        _put(spool, schema.serialize(), codec)
        for batch in batches:
            _put(spool, batch.serialize(), codec)
    sys.stdout.write(f"{END}\n")
    sys.stdout.flush()


def _put(spool: IO[bytes], message: "pa.Buffer", codec: "pa.Codec") -> None:
    """Write a message, packed where that is due and helps, and tell both of its sizes."""
    stored = message
    if spool.tell() >= UNPACKED_BYTES:
        stored = min(message, codec.compress(message), key=len)
    spool.write(stored)
    spool.flush()
    sys.stdout.write(f"{stored.size} {message.size}\n")
    sys.stdout.flush()
