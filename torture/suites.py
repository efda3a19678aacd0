"""Tests of pytest that count as torture: the fault matrix with every case, and the corpora."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET

from corpus import everything, files
from faults.samples import EVERY
from torture import ROOT
from torture.score import Score
from torture.task import Task

FAULTS = (
    "tests/integration/test_faults_*.py", "tests/integration/test_state_damage.py",
    "tests/integration/test_state_processes.py", "tests/integration/test_state_migrations.py",
)  # fmt: skip
URLS = ROOT / "tests" / "corpus" / "ssrf_urls.txt"
SECONDS_FOR_ALL = 300  # with less time each fault is tried in a few cases only
CORPORA = ("tests/**/test_corpus*.py", "tests/**/test_unsafe*.py", "tests/**/test_ssrf*.py")


def fault_matrix(task: Task) -> Score:
    """Try every fault of the matrix, in every case if there is time."""
    score = _suite(task, FAULTS)
    score.faults = score.rounds
    return score


def corpora(task: Task) -> Score:
    """Try every value of the corpora of bad input."""
    score = _suite(task, CORPORA)
    if not score.failures:
        score.rounds = sum(len(everything(name)) for name in files()) + _urls()
    return score


def _urls() -> int:
    return sum(line.startswith("http") for line in URLS.read_text(encoding="utf-8").splitlines())


def _suite(task: Task, patterns: tuple[str, ...]) -> Score:
    score = Score(task.part)
    report = task.folder / f"{task.part.replace(' ', '-')}.xml"
    chosen = sorted({str(one) for pattern in patterns for one in ROOT.glob(pattern)})
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    every = {} if 0 < task.seconds < SECONDS_FOR_ALL else {EVERY: "1"}
    done = subprocess.run(
        [*words, *chosen], check=False, cwd=ROOT, env={**os.environ, **every},
        capture_output=True, text=True,
    )  # fmt: skip
    if not report.exists():
        score.failures.append(done.stdout + done.stderr)
        return score
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own report
        name = f"{case.get('classname')}::{case.get('name')}"
        score.rounds += case.find("skipped") is None
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        if bad is not None:
            score.failures.append(f"{name}: {bad.get('message')}")
    return score
