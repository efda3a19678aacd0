"""Run a command as a process of its own and say what it cost."""

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench import processes

NOWHERE = Path(os.devnull)
LAST_WORDS = 3000
LOOK_SECONDS = 0.02
LOOKS_PER_SEARCH = 10  # children are searched for less often than the process is looked at


class WrongResult(Exception):
    """The measured command did not do its job, so what it cost means nothing."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of wall clock and CPU, and peaks of resident memory in MB.

    `cpu` is the process with its children, `served` the database servers meanwhile, `others` the
    cores that anything else but the excluded processes kept busy. `children_mb` is the highest sum
    of the peaks of children that lived together, `together_mb` that of all that lived together, the
    process included: each peak as it was by then, so that no moment can have held more.
    """

    wall: float
    cpu: float
    served: float
    others: float
    peak_mb: float
    children_mb: float
    together_mb: float


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Processes that with all their children work for the command, or are its sink."""

    serving: Sequence[int] = ()
    excluded: Sequence[int] = ()

    def reading(self) -> tuple[float, float, float]:
        """Return CPU seconds so far: serving, excluded, the whole machine."""
        serving, excluded = (sum(map(processes.spent, at)) for at in (self.serving, self.excluded))
        return serving, excluded, processes.busy()


@dataclass(slots=True)
class Watch:
    """The peaks of memory of a process and of its children, as often as it looks."""

    pid: int
    looks: int = 0
    own_mb: float = 0
    children_mb: float = 0
    together_mb: float = 0
    children: Sequence[int] = ()
    living_mb: float = 0

    def look(self) -> None:
        """Read the peaks now; the kernel keeps them, so that only the end can be missed."""
        if self.looks % LOOKS_PER_SEARCH == 0:
            self.children = list(processes.below(self.pid).keys() - {self.pid})
        self.looks += 1
        self.own_mb = max(self.own_mb, processes.peak_mb(self.pid))
        before, self.living_mb = self.living_mb, sum(map(processes.peak_mb, self.children))
        self.children_mb = max(self.children_mb, self.living_mb)
        # A child that is gone may have lived until just now.
        self.together_mb = max(self.together_mb, self.own_mb + max(before, self.living_mb))


def run(
    words: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    around: Surroundings = Surroundings(),
    stdout: Path = NOWHERE,
) -> Cost:
    """Run to the end in the folder; raises WrongResult with its last words when it fails."""
    with stdout.open("w+b") as out, tempfile.TemporaryFile("w+b") as errors:
        before = around.reading()
        start = time.perf_counter()
        process = subprocess.Popen(
            words, cwd=folder, env={**surrounding(), **env}, stdout=out, stderr=errors
        )
        watch = watched(process.pid)
        wall = time.perf_counter() - start
        _, status, usage = os.wait4(process.pid, 0)
        serving, excluded, busy = (
            now - then for now, then in zip(around.reading(), before, strict=True)
        )
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said = last_words(errors) + ("" if stdout == NOWHERE else last_words(out))
            raise WrongResult(f"{words[0]} ended with {process.returncode}:\n{said}")
    cpu = usage.ru_utime + usage.ru_stime
    others = max(0, busy - serving - excluded - cpu) / wall
    peaks = (watch.own_mb, watch.children_mb, watch.together_mb)
    return Cost(wall, cpu, serving, others, *peaks)


def surrounding() -> dict[str, str]:
    """Return our environment, but for what keeps Python from keeping bytecode.

    What is installed has its bytecode and compiles nothing when it starts.
    """
    return {name: os.environ[name] for name in os.environ if name != "PYTHONDONTWRITEBYTECODE"}


def last_words(file: IO[bytes]) -> str:
    """Return the end of what a process wrote."""
    file.seek(0)
    return file.read()[-LAST_WORDS:].decode(errors="replace")


def watched(pid: int) -> Watch:
    """Watch a process until it ends."""
    watch = Watch(pid)
    handle = os.pidfd_open(pid)
    try:
        watch.look()
        while not select.select([handle], [], [], LOOK_SECONDS)[0]:
            watch.look()
    finally:
        os.close(handle)
    return watch
