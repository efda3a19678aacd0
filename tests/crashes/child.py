"""Run one step in a child forked from a warmed parent, with at most one point armed."""

import multiprocessing
import os
import traceback
from pathlib import Path

from crashes.story import STEPS
from rowlift.core import faults

_FORKSERVER = multiprocessing.get_context("forkserver")
_FORKSERVER.set_forkserver_preload(["crashes.warm"])
KILLED = -9


def _child(step: str, folder: str, url: str | None, spec: str, record: str) -> None:
    os.chdir(folder)
    faults.arm(spec, record)
    try:
        STEPS[step](Path(folder), url)
    except BaseException:
        Path(folder, "traceback.txt").write_text(traceback.format_exc())
        raise


def in_child(
    step: str, folder: Path, url: str | None, *, spec: str = "", record: Path | None = None
) -> int:
    """Return the child's exit code: 0, -9 when the armed point killed it, 1 when it failed."""
    child = _FORKSERVER.Process(
        target=_child, args=(step, str(folder), url, spec, str(record or ""))
    )
    child.start()
    child.join(60)
    if child.exitcode is None:
        child.kill()
        child.join()
        message = f"{step} with {spec or 'nothing armed'} hangs"
        raise TimeoutError(message)
    return child.exitcode


def must_succeed(step: str, folder: Path, url: str | None) -> None:
    code = in_child(step, folder, url)
    report = folder / "traceback.txt"
    assert code == 0, report.read_text() if report.exists() else f"exit code {code}"
