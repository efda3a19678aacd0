"""Run as a program by `sourceprocess`: a worker that answers for a source, and what watches it.

The worker may not hear of anything while a driver works. So it is a child of this program, which
only waits: for the worker's end, for nobody's listening, or for being told to end. It ends the
worker, removes what lay in the private temporary folder, and ends as the worker did.
"""

import ctypes
import os
import select
import shutil
import signal
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

FIRST_TO_GO = "500"  # of 1,000: where memory ends, the system ends the worker and not who asks
_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Answer on the descriptor of the first argument; the others name modules to load now."""
    line = int(sys.argv[1])
    alive, held = os.pipe()  # which the worker holds open for as long as it lives
    watcher = os.getpid()
    worker = os.fork()
    if worker:
        os.close(held)
        _watch(worker, alive, line)
    os.close(alive)
    _end_with(watcher)
    answers = import_module("rowlift.kit.sourceanswers")
    answers.main(line, sys.argv[2:])
    os._exit(1)


def _end_with(parent: int) -> None:
    """Let the system end this process as soon as its parent has ended."""
    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, encoding="ascii")


def _watch(worker: int, alive: int, line: int) -> None:
    """Wait until the worker has ended, or nobody listens to it any more; never returns."""
    signal.signal(signal.SIGTERM, lambda *_: os.kill(worker, signal.SIGKILL))
    ends = select.poll()
    for descriptor in (alive, line):
        ends.register(descriptor, 0)  # only an error, which is what the other end's closing is
    ends.poll()
    os.kill(worker, signal.SIGKILL)  # not waited for yet, so nobody else has its number
    status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    if status < 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


if __name__ == "__main__":
    main()
