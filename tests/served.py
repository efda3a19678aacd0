"""A project served in a thread of this process, or in a process that a fault kills."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import rowlift
from rowlift.core import faults
from rowlift.core.progress import Silent
from rowlift.scheduler.service import ServiceLoop

SECONDS = 100

Found = TypeVar("Found")


@contextmanager
def served(project: "rowlift.Project") -> Iterator[ServiceLoop]:
    """The service of a project, ended in order after the block."""
    with project:
        loop = ServiceLoop(project.serving())
        thread = threading.Thread(target=loop.run, name="service")
        thread.start()
        try:
            yield loop
        finally:
            loop.end()
            thread.join(SECONDS)
        assert not thread.is_alive()


class Gate(Silent):
    """Holds each run where it has read its rows, until it is let through; or the first one only."""

    def __init__(self, *, once: bool = False) -> None:
        self.said: list[str] = []
        self._once = once
        self._came = 0
        self._held = threading.Semaphore(0)
        self._through = threading.Semaphore(0)

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        if phase != "validate":
            return
        self._came += 1
        if self._came == 1 or not self._once:
            self._held.release()
            assert self._through.acquire(timeout=SECONDS)

    def note(self, task: str, text: str, detail: str = "") -> None:
        self.said.append(f"{text} {detail}")

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Wait for a run to come, and let it through after the block."""
        assert self._held.acquire(timeout=SECONDS), "no run came"
        try:
            yield
        finally:
            self._through.release()


def until(condition: Callable[[], Any], pause: float = 0.02) -> Any:
    """Wait for something to be true, and return it; it is asked for after each pause."""
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(pause)
    return found


def together(actions: Sequence[Callable[[], Found]]) -> list[Found]:
    """Do all of them at the same moment; returns what they answer, in their order."""
    barrier = threading.Barrier(len(actions))

    def wait_and_do(action: Callable[[], Found]) -> Found:
        barrier.wait(SECONDS)
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(wait_and_do, actions))


def serve_and_die(folder: str, env: dict[str, str], spec: str) -> None:
    """Serve in a child until the armed point kills it."""
    faults.arm(spec)
    with rowlift.Project(folder, env=env) as project:
        ServiceLoop(project.serving()).run()
