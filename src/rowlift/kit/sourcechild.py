"""Run as a program by `sourceprocess`: answers what is asked of a source, call by call.

It never outlives its parent, even while a driver works.
"""

import os
import select
import shutil
import sys
import threading
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from traceback import format_exception
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowlift.core.errors import RowliftError

if TYPE_CHECKING:
    from rowlift.core.ports import Source

READY = "ready"
FIRST_TO_GO = "500"  # of 1,000: where memory ends, the system ends this process and not its parent


def main() -> None:
    """Answer on the descriptor of the first argument; the others name modules to load now."""
    line: Connection[Any, Any] = Connection(int(sys.argv[1]))
    threading.Thread(target=_end_with_parent, args=[line.fileno()], daemon=True).start()
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, encoding="ascii")
    for name in sys.argv[2:]:
        import_module(name)
    with suppress(EOFError, OSError):
        line.send(READY)
        _answer(line)
    _end()


def _answer(line: "Connection[Any, Any]") -> None:
    """Answer call after call; the source of the first is built then, and let go by `close`."""
    source: Source | None = None
    while True:
        kind, config, method, given, named = line.recv()
        try:
            source = source or kind(config)
            result = getattr(source, method)(*given, **named)
            if method == "close":
                source = None
            if isinstance(result, pa.RecordBatchReader):
                _stream(line, result)
            elif method == "check":
                for step in result:
                    line.send(([step], None))
                line.send(([], None))
            else:
                line.send((result, None))
        except Exception as error:  # noqa: BLE001 - raised where somebody waits
            line.send((None, _portable(error)))


def _stream(line: "Connection[Any, Any]", reader: pa.RecordBatchReader) -> None:
    """Send the schema, each batch, and an empty one; then whether the reader failed."""
    line.send((reader.schema.serialize().to_pybytes(), None))
    error: Exception | None = None
    try:
        for batch in reader:
            line.send_bytes(batch.serialize())
    except Exception as late:  # noqa: BLE001 - raised where somebody waits
        error = _portable(late)
    line.send_bytes(b"")
    line.send((None, error))


def _portable(error: Exception) -> Exception:
    """Return an exception that the parent can judge as if it had come up there."""
    if isinstance(error, (RowliftError, OSError, MemoryError)):
        return error
    return RuntimeError("".join(format_exception(error)))


def _end_with_parent(descriptor: int) -> None:
    """End when nobody listens any more, also while a driver works."""
    listener = select.poll()
    listener.register(descriptor, 0)  # only an error, which is what the other end's closing is
    listener.poll()
    _end()


def _end() -> None:
    """End at once, with what lies in the private temporary folder."""
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main()
