"""What the operator is told when the data directory cannot be written."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from rowlift.core.errors import StateError

_ROOM = "Free space or mend its rights, then run again: nothing was lost."
_HANDLES = "Allow it more open files (ulimit -n), then run again: nothing was lost."
_MENDS = {errno.EMFILE: _HANDLES, errno.ENFILE: _HANDLES}


@contextmanager
def file_errors() -> Iterator[None]:
    """Turn a failure of the file system into a StateError STATE_FULL."""
    try:
        yield
    except OSError as error:
        raise StateError(
            "STATE_FULL",
            f"The data directory cannot be written: {error.strerror or type(error).__name__}.",
            mend=_MENDS.get(error.errno or 0, _ROOM),
        ) from error
