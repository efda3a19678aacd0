"""Ctrl-C and SIGTERM: the first one unwinds what runs, the second ends the process at once."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

from rowlift.cli import exits

_ENDING = (signal.SIGINT, signal.SIGTERM)
_seen = threading.Event()


def interrupted() -> bool:
    """Tell whether somebody asked this process to end."""
    return _seen.is_set()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first signal into KeyboardInterrupt; a second one never waits for the main thread.

    A driver may hold the main thread for as long as its query takes, and Python's handlers run
    there only: a thread of its own reads the signals too.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = {one: signal.signal(one, _unwind) for one in _ENDING}
    wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=_count, args=(reader,), name="interrupts", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for one, handler in before.items():
            signal.signal(one, handler)
        writer.close()
        watcher.join()


def _unwind(_number: int, _frame: FrameType | None) -> None:
    if not _seen.is_set():
        _seen.set()
        raise KeyboardInterrupt


def _count(reader: socket.socket) -> None:
    count = 0
    with reader:
        while numbers := reader.recv(64):
            count += sum(number in _ENDING for number in numbers)
            if count > 1:
                os._exit(exits.INTERRUPTED)
