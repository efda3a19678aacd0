"""The project that requests work on; what it declares is read again when it changed."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from rowlift.core.errors import ConfigError
from rowlift.operations.project import Project

Stamp = tuple[object, ...]


class Office:
    """Keeps one project open for all requests."""

    def __init__(self, folder: Path, make: Callable[[], Project]) -> None:
        self._folder = folder
        self._make = make
        self._lock = threading.Lock()
        self._project: Project | None = None
        self._stamp: Stamp = ()

    def project(self) -> Project:
        """Return the project as its files and definitions are now.

        While they cannot be read it stays as it was; raises ConfigError if it never could.
        """
        with self._lock:
            if self._project is None:
                project = self._make()
                project.open()
                self._project, self._stamp = project, self._seen(project)
            elif (stamp := self._seen(self._project)) != self._stamp:
                self._stamp = stamp
                with suppress(ConfigError):
                    self._project.refresh()
            return self._project

    def close(self) -> None:
        """Close the project."""
        with self._lock:
            if self._project:
                self._project.close()
                self._project = None

    def _seen(self, project: Project) -> Stamp:
        files = ((str(path), *_version(path)) for path in _files(self._folder))
        return (*project.definitions.stamp(), *sorted(files))


def _files(folder: Path) -> Iterator[Path]:
    for pattern in ("*.yml", "syncs/**/*.yml", "**/*.sql"):
        yield from folder.glob(pattern)


def _version(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
