"""What processes cost, read from /proc: CPU seconds and peaks of memory, whole trees of them."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc: CPU seconds are its own plus those of children that ended."""

    parent: int
    cpu: float


def every_process() -> dict[int, Process]:
    """Return all processes, parents before their children as far as numbers go."""
    found = {}
    for pid in sorted(int(at.name) for at in PROC.iterdir() if at.name.isdigit()):
        try:
            text = (PROC / str(pid) / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = text.rpartition(")")[2].split()  # state, parent, ...; the 12th is utime
        found[pid] = Process(int(fields[1]), sum(map(int, fields[11:15])) / TICKS)
    return found


def below(root: int) -> Mapping[int, Process]:
    """Return the living descendants of a process, and itself."""
    table = every_process()
    return {pid: table[pid] for pid in table if pid == root or root in ancestors(table, pid)}


def ancestors(table: Mapping[int, Process], pid: int) -> Iterator[int]:
    """Yield the parents of a process, the nearest first."""
    while (parent := table[pid].parent) in table:
        yield parent
        pid = parent


def spent(root: int) -> float:
    """Return the CPU seconds of a process and of all that ever ran below it.

    A descendant that ends between two readings counts once: the reading is repeated until the same
    processes live before and after it.
    """
    before, after = below(root), below(root)
    while before.keys() != after.keys():
        before, after = after, below(root)
    return sum(one.cpu for one in after.values())


def busy() -> float:
    """Return the CPU seconds that all cores together were not idle since the machine started."""
    fields = (PROC / "stat").read_text().split(maxsplit=9)
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def peak_mb(pid: int) -> float:
    """Return the highest resident memory (VmHWM) of a living process so far, 0 if it is gone."""
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0)
