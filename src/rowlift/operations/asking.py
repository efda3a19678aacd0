"""Whoever asked something of a source may go away; then nothing more is asked of it for them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Protocol, Self

import sqlalchemy as sa
from pydantic import BaseModel

from rowlift.core.errors import ConnectError, SourceError
from rowlift.core.ports import Source
from rowlift.core.rules import rule
from rowlift.db import Database
from rowlift.kit.sourceprocess import in_a_process

_LOOK_SECONDS = 0.2

_asker: ContextVar["Asker | None"] = ContextVar("asker", default=None)


class Stoppable(Protocol):
    """What can be stopped in the middle of an answer, from another thread."""

    def cancel(self) -> None:
        """Stop it; does nothing where it ended before."""
        ...


class Asker:
    """Somebody who waits for an answer; drivers that may not end when asked run `apart`."""

    def __init__(self, *, apart: bool = True) -> None:
        self.apart = apart
        self._lock = Lock()
        self._asked: list[Stoppable] = []
        self._is_gone = False

    @contextmanager
    def asking(self) -> Iterator[Self]:
        """Let all that is asked of sources in a block be asked for them."""
        token = _asker.set(self)
        try:
            yield self
        finally:
            _asker.reset(token)

    def leave(self) -> None:
        """Stop the queries that are under way for them, on the server too, and let none begin."""
        with self._lock:
            self._is_gone = True
            for source in self._asked:
                with suppress(SourceError, ConnectError):  # out of reach, it finds us gone
                    source.cancel()

    @contextmanager
    def ask(self, source: Stoppable) -> Iterator[None]:
        """Ask a source in a block; raises SourceError QUERY_CANCELLED once they have left."""
        with self._lock:
            if self._is_gone:
                code = "QUERY_CANCELLED"
                raise SourceError(code, rule(code).title, mend=rule(code).mend)
            self._asked.append(source)
        try:
            yield
        finally:
            with self._lock:
                self._asked.remove(source)


@contextmanager
def asking_until(ending: Event) -> Iterator[None]:
    """Ask sources in a block; once the event is set their queries are stopped, and none begins."""
    asker, done = Asker(), Event()

    def look() -> None:
        while not done.wait(_LOOK_SECONDS):
            if ending.is_set():  # a query may begin in the moment between two others
                asker.leave()

    Thread(target=look, name="asker", daemon=True).start()
    try:
        with asker.asking():
            yield
    finally:
        done.set()


def built(kind: type[Source], config: BaseModel) -> Source:
    """Build a source, in a process of its own where whoever asks may leave a driver that cannot."""
    asker = _asker.get()
    if asker and asker.apart and getattr(kind, "embedded", False):
        return in_a_process(kind, config)
    return kind(config)  # type: ignore[call-arg]


@contextmanager
def asked(source: Stoppable) -> Iterator[None]:
    """Ask a source in a block, for whomever the caller does it."""
    asker = _asker.get()
    if asker is None:
        yield
        return
    with asker.ask(source):
        yield


@dataclass(frozen=True, slots=True)
class _Question:
    """What the state database is asked on a connection."""

    database: Database
    connection: sa.Connection

    def cancel(self) -> None:
        """Stop it."""
        self.database.stop(self.connection)


@contextmanager
def patiently(database: Database, seconds: float | None) -> Iterator[sa.Connection]:
    """Read the state in a block, so many seconds at most, and until whoever asks has left.

    Raises StateError STATE_SLOW.
    """
    with database.read() as connection:
        question = _Question(database, connection)
        with _stopping(question, seconds), asked(question):
            yield connection


@contextmanager
def _stopping(question: Stoppable, seconds: float | None) -> Iterator[None]:
    """Stop what is asked in a block after so many seconds, and whatever it goes on with."""
    if seconds is None:
        yield
        return
    done = Event()

    def look() -> None:
        wait = seconds
        while not done.wait(wait):
            question.cancel()
            wait = _LOOK_SECONDS  # a query may begin in the moment between two others

    thread = Thread(target=look, name="patience", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()  # it stops nothing that comes after
