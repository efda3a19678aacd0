"""What the worker of `sourcechild` does: it answers what is asked of a source, call by call."""

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from traceback import format_exception
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowlift.core.errors import RowliftError

if TYPE_CHECKING:
    from rowlift.core.ports import Source

READY = "ready"


def main(descriptor: int, modules: Sequence[str]) -> None:
    """Answer on a descriptor until nobody asks any more, with some modules loaded before."""
    line: Connection[Any, Any] = Connection(descriptor)
    for name in modules:
        import_module(name)
    with suppress(EOFError, OSError):
        line.send(READY)
        _answer(line)


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
