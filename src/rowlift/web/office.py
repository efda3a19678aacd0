"""The project that requests work on; what it declares is read again when it changed."""

import threading
from collections.abc import Callable

from rowlift.operations.project import Project


class Office:
    """Keeps one project open for all requests."""

    def __init__(self, make: Callable[[], Project]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._project: Project | None = None
        self._seen: object = None

    @property
    def is_open(self) -> bool:
        """Tell whether anybody asked for the project so far."""
        return self._project is not None

    def project(self) -> Project:
        """Return the project as its files and definitions are now.

        While they cannot be read it stays as it was; raises ConfigError if it never could.
        """
        with self._lock:
            if self._project is None:
                project = self._make()
                project.open()
                self._project, self._seen = project, project.definitions.seen()
            elif (seen := self._project.definitions.seen()) != self._seen:
                self._seen = seen
                self._project.refresh()
            return self._project

    def close(self) -> None:
        """Close the project."""
        with self._lock:
            if self._project:
                self._project.close()
                self._project = None
