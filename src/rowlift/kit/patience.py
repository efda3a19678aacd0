"""Giving up on drivers that wait for ever: a peer may be connected and yet say nothing."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
TICK = 0.25  # seconds between two looks at whether it is over
GRACE = 2.0  # seconds a cancelled call may take to end by itself
SILENT = "connection lost: the server said nothing"


def hang_up(connected: socket.socket) -> None:
    """Shut a socket down under whoever reads from it, in any thread; TLS sockets too."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


@contextlib.contextmanager
def hung_up_after(seconds: float, descriptor: int) -> Iterator[None]:
    """Shut a socket down when what happens within takes longer."""
    with socket.socket(fileno=os.dup(descriptor)) as own:
        timer = threading.Timer(seconds, hang_up, [own])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


class Errand:
    """A thread that makes a driver's calls, one after the other, and can be left behind."""

    def __init__(self) -> None:
        self.cancelled = False
        self._left = False
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._make, daemon=True).start()

    def ask(self, call: Callable[[], T], seconds: float) -> T:
        """Return what a call gives; raises OSError when it takes longer, or long after a cancel."""
        future: Future[T] = Future()
        self._calls.put(lambda: _answer(future, call))
        waited = 0.0
        while not wait([future], TICK).done:
            waited += TICK
            seconds = min(seconds, waited + GRACE) if self.cancelled else seconds
            if waited >= seconds:
                self._left = True
                raise OSError(SILENT)
        return future.result()

    def end(self, last: Callable[[], None], seconds: float) -> None:
        """Make a last call; if the thread was left behind, it makes it when it can."""
        if self._left:
            self._calls.put(last)
        else:
            with contextlib.suppress(OSError):
                self.ask(last, seconds)
        self._calls.put(None)

    def _make(self) -> None:
        while call := self._calls.get():
            call()


def _answer(future: "Future[T]", call: Callable[[], T]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
        future.set_exception(error)
