"""The thread that looks at what has ended, and tells channels."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rowlift.core.errors import RowliftError
from rowlift.operations.alerting import Alerts

LOOK_SECONDS = 2.0
_log = logging.getLogger(__name__)


class AlertWorker:
    """Looks every two seconds as long as its block lasts; what is left is told the next time.

    Nothing waits for it: a channel that does not answer delays only what is told.
    """

    def __init__(self, alerts: Callable[[], Alerts]) -> None:
        self._alerts = alerts
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="alerts")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            try:
                alerts = self._alerts()
                alerts.look()
                alerts.tell()
            except RowliftError as error:
                _log.warning("alerts wait: %s", error)
