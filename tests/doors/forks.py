"""Processes forked from one parent that has imported the program: to start one costs no imports."""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["doors.warm"])


def started(target: Callable[..., None], *arguments: object) -> ForkServerProcess:
    """Call a module's function in a process of its own, and do not wait for its end."""
    _ensure_server()
    child = _CONTEXT.Process(target=target, args=arguments)
    child.start()
    return child


def forked(target: Callable[..., None], *arguments: object, seconds: float) -> int:
    """Call a module's function in a process of its own and return the exit code.

    A process that a signal ended has its negative number. Raises TimeoutError after `seconds`.
    """
    child = started(target, *arguments)
    child.join(seconds)
    code = child.exitcode
    if code is None:
        child.kill()
        child.join()
        message = f"{target.__name__}{arguments} did not end in {seconds} s"
        raise TimeoutError(message)
    child.close()
    return code


def _ensure_server() -> None:
    """Start the server where it can import this package: it does not hand sys.path on."""
    before = dict(os.environ)
    os.environ.update(PYTHONPATH=str(Path(__file__).parents[1]), LANG="C.UTF-8")
    try:
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)
