"""The project that requests work on; it is read again when its files change."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rowlift.core.errors import ConfigError
from rowlift.operations.project import Project

Stamp = frozenset[tuple[str, int, int]]


@dataclass(slots=True)
class Opened:
    """A project that some requests use; the last one closes it once it was replaced."""

    project: Project
    stamp: Stamp
    users: int = 0


class Office:
    """Keeps one project open for all requests."""

    def __init__(self, folder: Path, make: Callable[[], Project]) -> None:
        self._folder = folder
        self._make = make
        self._lock = threading.Lock()
        self._opened: Opened | None = None

    @contextmanager
    def project(self) -> Iterator[Project]:
        """Lend the project as its files are now.

        While they cannot be read it stays as it was; raises ConfigError if it never could.
        """
        with self._lock:
            opened = self._current()
            opened.users += 1
        try:
            yield opened.project
        finally:
            with self._lock:
                opened.users -= 1
                self._close_unused(opened)

    def close(self) -> None:
        """Close the project, or let the last request that uses it do so."""
        with self._lock:
            last, self._opened = self._opened, None
            if last:
                self._close_unused(last)

    def _current(self) -> Opened:
        stamp, former = _stamp(self._folder), self._opened
        if former and former.stamp == stamp:
            return former
        project = self._make()
        try:
            project.open()
        except ConfigError:
            if former is None:
                raise
            return former
        self._opened = Opened(project, stamp)
        if former:
            self._close_unused(former)
        return self._opened

    def _close_unused(self, one: Opened) -> None:
        if one is not self._opened and not one.users:
            one.project.close()


def _stamp(folder: Path) -> Stamp:
    return frozenset((str(path), *_version(path)) for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    for pattern in ("*.yml", "syncs/**/*.yml", "**/*.sql"):
        yield from folder.glob(pattern)


def _version(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
