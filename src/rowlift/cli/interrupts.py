"""Ctrl-C and SIGTERM: the first one unwinds what runs, the second ends the process at once.

A driver may hold the main thread for as long as its query takes, and Python's handlers run there
only: a thread of its own reads the signals too. It stops what sources are asked where the main
thread does not take the first one, and ends the process where it still does not.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from rowlift.cli import exits

STOP_SECONDS = 0.5  # after the first signal, until queries are stopped
LEAVE_SECONDS = 3.0  # until the process ends, as it may at any instruction
_ENDING = (signal.SIGINT, signal.SIGTERM)


class _Signals:
    """What became of the first signal; the main thread takes it."""

    def __init__(self) -> None:
        self.taken = threading.Event()
        self.stop: Callable[[], object] | None = None
        self.last_words: Callable[[], object] | None = None
        self._is_held = self._waits = False

    def hold(self) -> None:
        self._is_held = True

    def take(self, _number: int, _frame: FrameType | None) -> None:
        if self.taken.is_set():
            return
        self.taken.set()
        if not self._is_held:
            raise KeyboardInterrupt
        self._waits = True

    def let_go(self, *, unwind: bool = True) -> None:
        self._is_held = False
        if self._waits and unwind:
            self._waits = False
            raise KeyboardInterrupt


_signals = _Signals()


def interrupted() -> bool:
    """Tell whether somebody asked this process to end."""
    return _signals.taken.is_set()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Hear signals in a block; the first one waits until `unwind` is called."""
    _signals.hold()
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = {one: signal.signal(one, _signals.take) for one in _ENDING}
    wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=_watch, args=(reader,), name="interrupts", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for one, handler in before.items():
            signal.signal(one, handler)
        writer.close()
        watcher.join()


def unwind(last_words: Callable[[], object] | None = None) -> None:
    """Raise KeyboardInterrupt at the first signal, now if it came already.

    With `last_words` the process ends after them where the main thread hangs.
    """
    _signals.last_words = last_words
    _signals.let_go()


@contextlib.contextmanager
def held() -> Iterator[Callable[[], None]]:
    """Hold the first signal back in a block, or until what it yields is called."""
    _signals.hold()
    try:
        yield _signals.let_go
    except BaseException:
        _signals.let_go(unwind=False)
        raise
    _signals.let_go()


@contextlib.contextmanager
def stopping(stop: Callable[[], object]) -> Iterator[None]:
    """Let something be called, in another thread, where the main thread hangs in a block."""
    _signals.stop = stop
    try:
        yield
    finally:
        _signals.stop = None


def _watch(reader: socket.socket) -> None:
    count = 0
    with reader:
        while numbers := reader.recv(64):
            before, count = count, count + sum(number in _ENDING for number in numbers)
            if count > 1:
                os._exit(exits.INTERRUPTED)
            if count > before:
                threading.Thread(target=_hurry, name="hurry", daemon=True).start()


def _hurry() -> None:
    """See to it that the first signal is taken."""
    if _signals.taken.wait(STOP_SECONDS):
        return
    if stop := _signals.stop:
        threading.Thread(target=stop, name="stop", daemon=True).start()
    if _signals.taken.wait(LEAVE_SECONDS - STOP_SECONDS) or _signals.last_words is None:
        return
    with contextlib.suppress(Exception):  # whatever the main thread left of the streams
        _signals.last_words()
        sys.stdout.flush()
    os._exit(exits.INTERRUPTED)
