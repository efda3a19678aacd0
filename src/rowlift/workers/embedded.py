"""Jobs in threads of this process."""

import threading
import time
from collections.abc import Callable, Collection

from rowlift.core.errors import RowliftError, unexpected
from rowlift.operations.serving import Interrupted
from rowlift.workers.runner import Job


class EmbeddedRunner:
    """Carries each job in a thread that does not keep the process alive.

    `tell` hears of a job that failed, `wake` is called when one has ended, both in its thread.
    """

    def __init__(self, tell: Callable[[Job, RowliftError], None], wake: Callable[[], None]) -> None:
        self._tell = tell
        self._wake = wake
        self._ending = threading.Event()
        self._threads: dict[Job, threading.Thread] = {}
        self._lock = threading.Lock()

    def start(self, job: Job) -> None:
        name = f"{job.kind}-{job.number}"
        thread = threading.Thread(target=self._carry, args=(job,), name=name, daemon=True)
        with self._lock:
            self._threads[job] = thread
        thread.start()

    def running(self) -> Collection[Job]:
        with self._lock:
            return list(self._threads)

    def stop(self, seconds: float) -> Collection[Job]:
        self._ending.set()
        with self._lock:
            threads = list(self._threads.values())
        until = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return self.running()

    def _carry(self, job: Job) -> None:
        """Do one job; the documented boundary at which any of its exceptions ends."""
        try:
            job.work(self._ending)
        except Interrupted:
            pass
        except RowliftError as error:
            self._tell(job, error)
        except Exception as error:  # noqa: BLE001
            self._tell(job, unexpected(error))
        finally:
            with self._lock:
                del self._threads[job]
            self._wake()
