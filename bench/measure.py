"""Run a command as a process of its own and say what it cost."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of wall clock and CPU (children included), and the peak of resident memory in MB."""

    wall: float
    cpu: float
    peak_mb: float
    stdout: str


def run(words: Sequence[str], folder: Path, env: Mapping[str, str]) -> Cost:
    """Run to the end; raises CalledProcessError when it fails."""
    out = folder / "stdout.txt"
    with out.open("w") as stdout:
        start = time.perf_counter()
        process = subprocess.Popen(
            words, cwd=folder, env={**os.environ, **env}, stdout=stdout, stderr=subprocess.PIPE
        )
        errors = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words, out.read_text(), errors)
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(wall, cpu, usage.ru_maxrss / 1024, out.read_text())
