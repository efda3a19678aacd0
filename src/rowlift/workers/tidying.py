"""The thread that forgets what is old, also where no sync runs."""

import logging
import threading
from collections.abc import Callable

from rowlift.core.errors import RowliftError, unexpected
from rowlift.workers.threads import Worker

HOUR = 3600.0
_log = logging.getLogger(__name__)


class TidyWorker(Worker):
    """Tidies at once and then each hour, as long as its block lasts.

    `tidy` ends soon after the event is set.
    """

    def __init__(self, tidy: Callable[[threading.Event], None], every: float = HOUR) -> None:
        super().__init__("tidy")
        self._tidy = tidy
        self._every = every

    def _work(self) -> None:
        """Tidy again and again; the documented boundary at which any exception ends."""
        while not self._stopped.is_set():
            try:
                self._tidy(self._stopped)
            except RowliftError as error:
                _log.warning("what is old waits to be forgotten: %s", error)
            except Exception as error:  # noqa: BLE001
                _log.warning("what is old waits to be forgotten: %s", unexpected(error))
            self._stopped.wait(self._every)
