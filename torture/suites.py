"""Tests of pytest that count as torture: the fault matrix with every case, and the corpora."""

import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

from corpus import everything, files
from faults.samples import EVERY
from torture import ROOT
from torture.score import Score
from torture.task import Task

FAULTS = (
    "faults_disk", "faults_process", "faults_source", "faults_volume",
    "state_damage", "state_processes", "state_migrations",
)  # fmt: skip
URLS = ROOT / "tests" / "corpus" / "ssrf_urls.txt"
SECONDS_FOR_ALL = 120  # with less time each fault is tried in a few cases only
CORPORA = ("tests/**/test_corpus*.py", "tests/**/test_unsafe*.py", "tests/**/test_ssrf*.py")


def fault_matrix(task: Task, suite: str) -> Score:
    """Try every fault of one suite of the matrix, in every case if there is time."""
    score, _ = _suite(task, (f"tests/integration/test_{suite}.py",))
    score.faults = score.rounds
    return score


def corpora(task: Task) -> Score:
    """Try every value of the corpora of bad input."""
    score, ended = _suite(task, CORPORA)
    if ended:
        score.inputs = sum(len(everything(name)) for name in files()) + _urls()
    return score


def _wait(task: Task, running: "subprocess.Popen[bytes]") -> bool:
    """Wait for the end; when its time has come first, have what was tried told, and be False."""
    until = task.until()
    while running.poll() is None:
        if task.is_over(until):
            running.send_signal(signal.SIGINT)
            running.wait()
            return False
        time.sleep(0.5)
    return True


def _urls() -> int:
    return sum(line.startswith("http") for line in URLS.read_text(encoding="utf-8").splitlines())


def _suite(task: Task, patterns: tuple[str, ...]) -> tuple[Score, bool]:
    """Return the score, and whether every case was tried."""
    score = Score(task.part)
    task.folder.mkdir(parents=True, exist_ok=True)
    chosen = sorted({str(one) for pattern in patterns for one in ROOT.glob(pattern)})
    report = task.folder / f"{Path(chosen[0]).stem}.xml"
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    every = {} if 0 < task.seconds < SECONDS_FOR_ALL else {EVERY: "1"}
    log = report.with_suffix(".log")
    with log.open("w") as out:
        running = subprocess.Popen(
            [*words, *chosen], cwd=ROOT, env={**os.environ, **every}, stdout=out, stderr=out
        )
        ended = _wait(task, running)
    if not report.exists():
        score.failures.append(log.read_text())
        return score, False
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own report
        name = f"{case.get('classname')}::{case.get('name')}"
        score.rounds += case.find("skipped") is None
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        if bad is not None:
            score.failures.append(f"{name}: {bad.get('message')}")
    return score, ended
