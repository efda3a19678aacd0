"""What was measured, as medians by step, kept in a file so that cases can be measured apart."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.stage import Sample

MACHINE = "machine"
CASES = "cases"


class OtherMachine(Exception):
    """The file holds figures of a machine that these ones cannot stand beside."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians of a step: seconds, cores and MB as in Cost; `walls` are the runs as they came."""

    rows: int
    wall: float
    cpu: float
    served: float
    others: float
    peak_mb: float
    children_mb: float
    together_mb: float
    messages: int | None
    walls: Sequence[float]

    @property
    def all_cpu(self) -> float:
        """CPU seconds with those of the database servers."""
        return self.cpu + self.served

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> "Figures":
        """Return the medians of one step's runs."""
        costs = [asdict(one.cost) for one in samples]
        middle = {name: round(median(cost[name] for cost in costs), 3) for name in costs[0]}
        walls = [round(one.cost.wall, 3) for one in samples]
        return cls(samples[0].rows, messages=samples[0].messages, walls=walls, **middle)


@dataclass(frozen=True, slots=True)
class Result:
    """A measured case: when, of which revision, with what load average at its start."""

    name: str
    title: str
    measured: str
    revision: str
    load: float
    runs: int
    versions: Sequence[str]
    steps: Mapping[str, Figures]

    @classmethod
    def from_json(cls, name: str, stored: Mapping[str, Any]) -> "Result":
        """Read one case of the file."""
        steps = {step: Figures(**figures) for step, figures in stored["steps"].items()}
        return cls(name=name, **{**stored, "steps": steps})

    def to_json(self) -> dict[str, Any]:
        """Return what the file keeps."""
        stored = asdict(self)
        del stored["name"]
        return stored


def machine() -> dict[str, Any]:
    """Return what figures depend on and cannot be changed by Rowlift."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in info if "model name" in line), "")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": model or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(pages / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def load(file: Path) -> dict[str, Result]:
    """Return the kept cases by name; raises OtherMachine."""
    if not file.exists():
        return {}
    kept = json.loads(file.read_text())
    if kept[MACHINE] != machine():
        raise OtherMachine(f"{file} is of another machine or Python; remove it to start afresh")
    return {name: Result.from_json(name, stored) for name, stored in kept[CASES].items()}


def save(file: Path, results: Mapping[str, Result]) -> None:
    """Write the kept cases."""
    cases = {name: one.to_json() for name, one in results.items()}
    file.write_text(json.dumps({MACHINE: machine(), CASES: cases}, indent=1) + "\n")
