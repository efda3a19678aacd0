"""The thread that writes accepted messages into the workspace."""

import logging
import threading

from rowlift.core.errors import RowliftError, unexpected
from rowlift.kit.logs import about
from rowlift.operations.ingesting import Ingest
from rowlift.workers.threads import Worker

POLL_SECONDS = 2.0  # for what another process accepted, and for what had to wait
_log = logging.getLogger(__name__)


class IngestWorker(Worker):
    """Writes messages as long as its block lasts; what is left waits for the next time."""

    def __init__(self, ingest: Ingest) -> None:
        super().__init__("ingest")
        self._ingest = ingest
        self._wake = threading.Event()
        self._trouble = ""

    def _stop(self) -> None:
        super()._stop()
        self._wake.set()

    def wake(self) -> None:
        """Tell that something was accepted."""
        self._wake.set()

    def _work(self) -> None:
        while not self._stopped.is_set():
            if self._write():
                continue
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()

    def _write(self) -> bool:
        """Write a chunk; tell whether there was one. A failure leaves it for the next time.

        The documented boundary at which any exception ends: what was accepted must be written.
        """
        try:
            written = self._ingest.write_some()
        except RowliftError as error:
            self._troubled(error)
            return False
        except Exception as error:  # noqa: BLE001
            self._troubled(unexpected(error))
            return False
        self._trouble = ""
        return written is not None

    def _troubled(self, error: RowliftError) -> None:
        """Say once what is in the way."""
        if error.code != self._trouble:
            with about(task="messages", code=error.code, detail=str(error)):
                _log.warning("Messages wait to be written.")
        self._trouble = error.code
