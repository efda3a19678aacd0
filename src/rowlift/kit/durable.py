"""Files that are whole or absent after any crash, never half written."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from rowlift.core.faults import point

LEFTOVERS = ".*.tmp"  # what a killed process may leave beside its files


def temporary_for(path: Path) -> Path:
    """Return the name to write to before `publish`; each process has its own."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def write_durable(path: Path, chunks: Iterable[bytes | memoryview]) -> int:
    """Write the chunks as one file (mode 0600), replacing what was there; return its size in bytes.

    Raises OSError, with nothing changed at `path`.
    """
    temporary = temporary_for(path)
    point("file.before_write")
    try:
        with open_private(temporary) as out:
            out.writelines(chunks)
        return publish(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def open_private(path: Path) -> BinaryIO:
    """Open a file to write to that only this user can read (mode 0600)."""
    return open(path, "wb", opener=_private)


def publish(temporary: Path, path: Path) -> int:
    """Make a complete temporary file durable under its name; return its size in bytes."""
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
        size = os.fstat(written.fileno()).st_size
    point("file.before_rename")
    temporary.replace(path)
    sync_folder(path.parent)
    point("file.after_rename")
    return size


def sweep(folder: Path) -> None:
    """Remove what processes that no longer live have left half written in a folder."""
    for left in folder.glob(LEFTOVERS):
        pid = left.name.rsplit(".", 2)[1]
        if pid.isdigit() and not _lives(int(pid)):
            left.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Create a folder, and its parents, that only this user can enter (mode 0700)."""
    missing = [at for at in (folder, *folder.parents) if not at.exists()]
    for at in reversed(missing):
        at.mkdir(mode=0o700, exist_ok=True)
        sync_folder(at.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
