"""Small disks that get full, and commands that make a system call fail."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("CI"), reason="only root may mount a small disk"
)


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a disk of this size."""
    folder.mkdir(parents=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", folder], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Leave no byte of room on the disk of a folder."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as out, suppress(OSError):
        while True:  # others write, and free, meanwhile
            out.write(bytes(1 << 16))
    yield
    ballast.unlink()


@contextmanager
def turned_read_only(folder: Path, process: int) -> Iterator[None]:
    """Let a disk be read-only for everybody, and for the files that a process has open.

    The system refuses to remount a disk while it is written to, as no failing disk waits for that.
    """
    calls = "pwrite64,ftruncate,fsync,fdatasync"
    command = [_strace(), "-f", "-p", str(process), "-o", "/dev/null"]
    command += ["-e", f"trace={calls}", "-e", f"inject={calls}:error=EROFS"]
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        assert tracer.stderr
        assert "attached" in tracer.stderr.readline()
        yield
    finally:
        tracer.terminate()
        tracer.communicate(timeout=60)
        subprocess.run(["umount", "--lazy", folder], check=True)


def _strace() -> str:
    found = shutil.which("strace")
    assert found, "strace is not installed: make system"
    return found


def failing(calls: str, error: str, when: str) -> tuple[str, ...]:
    """Return the words that run a program while some of its system calls fail.

    `when` counts the calls from 1: 3 is the third alone, 3+ it and all after it.
    """
    return (
        _strace(), "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null",
        "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}:when={when}",
    )  # fmt: skip
