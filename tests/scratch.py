"""Temporary folders in memory, where there is room: tests sync thousands of small files."""

import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ENOUGH = 4_000_000_000  # bytes; the servers and what tests leave while they run take a quarter


def use_memory() -> None:
    """Make every temporary folder of this process one in memory, if that is not too small."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH:
        tempfile.tempdir = str(MEMORY)
