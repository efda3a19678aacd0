"""Run one step in a child forked from a warmed parent, with at most one point armed."""

import os
import traceback
from pathlib import Path

from crashes.story import STEPS
from doors.forks import forked
from rowlift.core import faults

KILLED = -9
_SECONDS = 60


def _child(step: str, folder: str, url: str | None, spec: str) -> None:
    os.chdir(folder)
    faults.arm(spec)
    try:
        STEPS[step](Path(folder), url)
    except BaseException:  # noqa: BLE001 - told by the parent
        Path(folder, "traceback.txt").write_text(traceback.format_exc())
        os._exit(1)
    os._exit(0)  # what is open is the system's to close: the step itself has ended


def in_child(step: str, folder: Path, url: str | None, *, spec: str) -> int:
    """Return the child's exit code: 0, -9 when the armed point killed it, 1 when it failed."""
    return forked(_child, step, str(folder), url, spec, seconds=_SECONDS)


def failure(folder: Path, code: int) -> str:
    report = folder / "traceback.txt"
    return report.read_text() if report.exists() else f"exit code {code}"
