"""Run one step in a child forked from a warmed parent, with at most one point armed."""

import multiprocessing
import os
import traceback
from multiprocessing import forkserver
from pathlib import Path

from crashes.story import STEPS
from rowlift.core import faults

_FORKSERVER = multiprocessing.get_context("forkserver")
_FORKSERVER.set_forkserver_preload(["crashes.warm"])
KILLED = -9
_SECONDS = 60


def _child(step: str, folder: str, url: str | None, spec: str, record: str) -> None:
    os.chdir(folder)
    faults.arm(spec, record)
    try:
        STEPS[step](Path(folder), url)
    except BaseException:  # noqa: BLE001 - told by the parent
        Path(folder, "traceback.txt").write_text(traceback.format_exc())
        os._exit(1)
    os._exit(0)  # what is open is the system's to close: the step itself has ended


def _start_server() -> None:
    """Start the fork server where it can import this package: it does not hand sys.path on."""
    before = dict(os.environ)
    os.environ.update(PYTHONPATH=str(Path(__file__).parents[1]), ROWLIFT_THREADS="1")
    try:
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)


def in_child(
    step: str, folder: Path, url: str | None, *, spec: str = "", record: Path | None = None
) -> int:
    """Return the child's exit code: 0, -9 when the armed point killed it, 1 when it failed."""
    _start_server()
    child = _FORKSERVER.Process(
        target=_child, args=(step, str(folder), url, spec, str(record or ""))
    )
    child.start()
    child.join(_SECONDS)
    if child.exitcode is None:
        child.kill()
        child.join()
        message = f"{step} with {spec or 'nothing armed'} hangs"
        raise TimeoutError(message)
    return child.exitcode


def must_succeed(step: str, folder: Path, url: str | None, *, record: Path | None = None) -> None:
    code = in_child(step, folder, url, record=record)
    assert code == 0, failure(folder, code)


def failure(folder: Path, code: int) -> str:
    report = folder / "traceback.txt"
    return report.read_text() if report.exists() else f"exit code {code}"
