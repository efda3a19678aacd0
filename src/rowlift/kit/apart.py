"""Work with drivers that cannot be interrupted: in a thread that can be left behind.

Whoever waits is never held longer than it said, nor by a driver that has lost its server. A thread
that was left ends by itself when the driver gives up.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Generic, TypeVar

T = TypeVar("T")
AHEAD = 2  # items that may wait to be used


class Silence(Exception):
    """Nothing came for as long as somebody would wait."""


class Left(Exception):
    """Somebody has stopped waiting."""


class Apart(Generic[T]):
    """A generator that another thread drives, at most AHEAD items before its user."""

    def __init__(self, work: Callable[[], Generator[T, None, None]], patience: float) -> None:
        """Start; an item may take `patience` seconds."""
        self._patience = patience
        self._changed = threading.Condition()
        self._ready: deque[T] = deque()
        self._left = False
        self._ended = False
        self._error: BaseException | None = None
        threading.Thread(target=self._drive, args=[work], daemon=True).start()

    def items(self) -> Iterator[T]:
        """Yield what the generator yields and raise what it raises; or Silence, or Left."""
        try:
            while self._arrives():
                yield self._taken()
        finally:
            self.leave()

    def leave(self) -> None:
        """Wait no longer, in whatever thread; what was not taken is lost."""
        with self._changed:
            self._left = True
            self._changed.notify_all()

    def _arrives(self) -> bool:
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._ready or self._ended or self._left, self._patience
            ):
                raise Silence
            if self._left:
                raise Left
            if self._error and not self._ready:
                raise self._error
            return bool(self._ready)

    def _taken(self) -> T:
        with self._changed:
            self._changed.notify_all()
            return self._ready.popleft()

    def _drive(self, work: Callable[[], Generator[T, None, None]]) -> None:
        try:
            with closing(work()) as items:
                for item in items:
                    self._put(item)
        except Left:
            pass
        except BaseException as error:  # noqa: BLE001 - raised where somebody waits
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _put(self, item: T) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._ready) < AHEAD or self._left)
            if self._left:
                raise Left
            self._ready.append(item)
            self._changed.notify_all()


def answer(ask: Callable[[], T], patience: float) -> T:
    """Return what a call returns; raises Silence when it takes longer."""

    def asked() -> Generator[T, None, None]:
        yield ask()

    (found,) = Apart(asked, patience).items()
    return found
