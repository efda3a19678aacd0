"""Plant one fault in a copy of the engine, and see whether it is found.

    python -m torture.simulation.mutants [--only WORD] [--seeds N] [--workers N]

Exits 1 when a mutant was not found.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("mutants.toml")
SEEDS = 300  # in each of which a mutant may show
FIRST_SEED = 1
LONGEST_HUNT = 1800.0  # seconds


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: what is replaced where, and what must find it; no test is the simulator."""

    name: str
    breaks: str
    file: str
    old: str
    new: str
    test: str = ""
    times: int = 1
    seed: int = FIRST_SEED  # one that showed it once: a short cut, no promise

    def applied_to(self, source: Path) -> str:
        """Return the file's text with the fault.

        `source` is the folder of the package. Raises ValueError where `old` stands there more or
        less often than it should.
        """
        text = (source / self.file).read_text()
        times = text.count(self.old)
        if times != self.times:
            raise ValueError(f"{self.name}: the old text stands {times} times in {self.file}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Hunt:
    """How one mutant was met: `found` tells by what, and is empty where nothing saw it."""

    mutant: Mutant
    found: str
    seconds: float


def mutants(word: str = "") -> list[Mutant]:
    """Return the list, or those whose name, trap or test has the word."""
    with LIST.open("rb") as file:
        listed = [Mutant(**one) for one in tomllib.load(file)["mutant"]]
    return [one for one in listed if word in f"{one.name} {one.breaks} {one.test}"]


def hunt(mutant: Mutant, *, seeds: int = SEEDS, seconds: float = LONGEST_HUNT) -> Hunt:
    """Copy the package, plant the fault, and run what must find it, for so long at most."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rowlift-mutant-") as folder:
        package = Path(folder) / "rowlift"
        shutil.copytree(
            ROOT / "src" / "rowlift", package, ignore=shutil.ignore_patterns("__pycache__")
        )
        (package / mutant.file).write_text(mutant.applied_to(package))
        try:
            found = _found(mutant, folder, seeds, seconds)
        except subprocess.TimeoutExpired:
            found = ""
    return Hunt(mutant, found, time.monotonic() - began)


def _found(mutant: Mutant, folder: str, seeds: int, seconds: float) -> str:
    if mutant.test:
        return _by_test(mutant, folder, seconds)
    return _by_seed(mutant.seed, seeds, folder, seconds)


def _by_seed(first: int, seeds: int, folder: str, seconds: float) -> str:
    words = ("torture.simulation", "--first", "--seed", first, "--seeds", seeds)
    ended = _run(folder, seconds, *words)
    told = ended.stdout.splitlines() or [ended.stderr[-500:]]
    diverged = told[0].startswith("seed ") and ended.returncode == 1
    if not diverged and ended.returncode:
        raise RuntimeError(f"the simulator broke: {ended.stderr[-2000:]}")
    return told[0] if diverged else ""


def _by_test(mutant: Mutant, folder: str, seconds: float) -> str:
    words = ("pytest", "-q", "-x", "-p", "no:cacheprovider", *mutant.test.split())
    ended = _run(folder, seconds, *words)
    if ended.returncode not in (0, 1):
        raise RuntimeError(f"pytest broke: {ended.stdout[-2000:]}")
    return f"{mutant.test} fails" if ended.returncode else ""


def _run(folder: str, seconds: float, *words: object) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", *map(str, words)]
    return subprocess.run(
        command, cwd=ROOT, env=env, text=True, capture_output=True, timeout=seconds, check=False
    )


def main() -> int:
    """Hunt the mutants and print one line each."""
    parser = argparse.ArgumentParser(prog="torture.simulation.mutants")
    parser.add_argument("--only", default="", help="a word of the name, the trap or the test")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many seeds each may take")
    parser.add_argument("--workers", type=int, default=2, help="how many at once")
    given = parser.parse_args()
    with ThreadPoolExecutor(given.workers) as pool:
        started = [pool.submit(hunt, one, seeds=given.seeds) for one in mutants(given.only)]
        return show([_shown(one.result()) for one in as_completed(started)])


def _shown(hunted: Hunt) -> Hunt:
    told = hunted.found[:110] or "NOT FOUND"
    mutant = hunted.mutant
    print(f"{hunted.seconds:5.0f} s  {mutant.breaks}: {mutant.name}: {told}", flush=True)
    return hunted


def show(hunts: Sequence[Hunt]) -> int:
    """Print the sum and return the exit code."""
    missed = sum(1 for one in hunts if not one.found)
    print(f"{len(hunts)} mutants, {missed} not found")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
