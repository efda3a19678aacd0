"""Small disks that get full, and commands that make a system call fail."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
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
    free = shutil.disk_usage(folder).free
    with ballast.open("wb") as out:
        os.posix_fallocate(out.fileno(), 0, free)
    yield
    ballast.unlink()


def failing(calls: str, error: str, when: str) -> tuple[str, ...]:
    """Return the words that run a program while some of its system calls fail.

    `when` counts the calls from 1: 3 is the third alone, 3+ it and all after it.
    """
    strace = shutil.which("strace")
    assert strace, "strace is not installed: make system"
    return (
        strace, "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null",
        "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}:when={when}",
    )  # fmt: skip
