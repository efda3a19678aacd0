"""Giving up on drivers that wait for ever: a peer may be connected and yet say nothing."""

import contextlib
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

TICK = 0.25  # seconds between two looks at whether it is over
SILENT = "connection lost: the server said nothing"
_USER_TIMEOUT = 60_000  # milliseconds
_marks = cycle(range(_USER_TIMEOUT, _USER_TIMEOUT + 10_000))


def new_mark() -> int:
    """Return a TCP_USER_TIMEOUT (about a minute, in milliseconds) that tells a socket from others.

    Some drivers do not say which socket is theirs, but set this option of it.
    """
    return next(_marks)


def hang_up(connected: socket.socket) -> None:
    """Shut a socket down under whoever reads from it, in any thread; TLS sockets too."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def hang_up_marked(mark: int) -> None:
    """Shut the sockets of this process down that bear a mark."""
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError), _copy(int(entry.name)) as copy:
            if copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == mark:
                hang_up(copy)


@contextlib.contextmanager
def hung_up_after(seconds: float, descriptor: int) -> Iterator[threading.Event]:
    """Shut a socket down when what happens within takes longer; the event tells that it was."""
    gave_up = threading.Event()

    def give_up() -> None:
        gave_up.set()
        hang_up(own)

    with _copy(descriptor) as own, patient(seconds, give_up):
        yield gave_up


@contextlib.contextmanager
def patient(seconds: float, give_up: Callable[[], None]) -> Iterator[None]:
    """Call something, in another thread, when what happens within takes longer."""
    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _copy(descriptor: int) -> socket.socket:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        raise OSError("not a socket")
    return socket.socket(fileno=os.dup(descriptor))
