"""Lock files: on one machine a free lock tells at once that its owner is dead."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rowlift.kit.durable import make_folder
from rowlift.state.failures import file_errors


class Locks:
    """The lock files that this process holds, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "locks"
        self._held: dict[str, IO[str]] = {}

    def take(self, name: str) -> bool:
        """Take a lock; False when somebody else holds it."""
        with file_errors():
            make_folder(self._folder)
            handle = self._path(name).open("a", encoding="utf-8")
        if not _locks(handle, fcntl.LOCK_EX):
            handle.close()
            return False
        self._held[name] = handle
        return True

    @contextmanager
    def taking(self) -> Iterator[Callable[[str], bool]]:
        """Hand out `take`; a failure of the block gives back what was taken in it."""
        taken: list[str] = []

        def take(name: str) -> bool:
            if self.take(name):
                taken.append(name)
                return True
            return False

        try:
            yield take
        except BaseException:
            for name in taken:
                self.release(name)
            raise

    def holds(self, name: str) -> bool:
        """Tell whether this process has a lock."""
        return name in self._held

    def release(self, name: str) -> None:
        """Give a lock back, if this process has it."""
        handle = self._held.pop(name, None)
        if handle:
            handle.close()

    def close(self) -> None:
        """Give all locks back."""
        for name in list(self._held):
            self.release(name)

    def is_abandoned(self, name: str) -> bool:
        """Tell whether a lock was taken once and nobody holds it; those that look never clash."""
        if not self.exists(name):
            return False
        with file_errors(), self._path(name).open(encoding="utf-8") as handle:
            return _locks(handle, fcntl.LOCK_SH)

    def exists(self, name: str) -> bool:
        """Tell whether a lock was ever taken, and not swept since."""
        return self._path(name).exists()

    def names(self) -> list[str]:
        """Return the names of all lock files, also those of other processes."""
        return [path.stem for path in self._folder.glob("*.lock")]

    def age(self, name: str, now: float) -> float:
        """Return the seconds since a lock file was made."""
        try:
            return now - self._path(name).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def remove(self, name: str) -> None:
        """Delete an abandoned lock file."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.lock"


def _locks(handle: IO[str], how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
