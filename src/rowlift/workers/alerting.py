"""The thread that looks at what has ended and at what is late, and tells channels."""

import logging
import time
from collections.abc import Callable

from rowlift.core.errors import RowliftError, StateError, unexpected
from rowlift.operations.alarming import StateAlarm
from rowlift.operations.alerting import Alerts
from rowlift.workers.threads import Worker

LOOK_SECONDS = 2.0
STATE_SECONDS = 30.0  # from one look at what is late to the next
_log = logging.getLogger(__name__)


class AlertWorker(Worker):
    """Looks every two seconds as long as its block lasts; what is left is told the next time.

    Nothing waits for it: a channel that does not answer delays only what is told. `hindrance` says
    what keeps the state from being written; that is told without it.
    """

    def __init__(
        self,
        alerts: Callable[[], Alerts],
        hindrance: Callable[[], StateError | None] = lambda: None,
    ) -> None:
        super().__init__("alerts")
        self._alerts = alerts
        self._hindrance = hindrance
        self._alarm: StateAlarm | None = None
        self._trouble = ""
        self._states_at = -STATE_SECONDS

    def _work(self) -> None:
        """Look again and again; the documented boundary at which any exception ends."""
        while not self._stopped.wait(LOOK_SECONDS):
            try:
                alerts = self._alerts()
                self._alarm = self._alarm or StateAlarm(alerts.note())
                self._alarm.look(alerts, self._hindrance())
                self._look()
            except RowliftError as error:
                self._troubled(error)
            except Exception as error:  # noqa: BLE001
                self._troubled(unexpected(error))
            else:
                self._trouble = ""

    def _troubled(self, error: RowliftError) -> None:
        """Say once what is in the way."""
        if error.code != self._trouble:
            _log.warning("alerts wait: %s", error)
        self._trouble = error.code

    def _look(self) -> None:
        is_time = time.monotonic() - self._states_at >= STATE_SECONDS
        alerts = self._alerts()
        alerts.look(states=is_time)
        if is_time:
            self._states_at = time.monotonic()
        alerts.tell()
