"""The alarm that needs no state: that nothing can be written down, and that it can be again."""

import time

from rowlift.core.alerts import AlertRule, Notice
from rowlift.core.errors import StateError
from rowlift.operations.alerting import Alerts
from rowlift.operations.telling import APART_SECONDS, GATHER_SECONDS

WHO = "the service"  # in the place of a sync, none of which has a name with a space


class StateAlarm:
    """Tells channels once of what lasts for ten seconds, and once of its end.

    What it told it only remembers: another process tells it anew.
    """

    def __init__(self) -> None:
        self._error: StateError | None = None  # what lasts, or what was told and is over
        self._since: float | None = None
        self._told: set[str] = set()
        self._again_at = float("-inf")

    def look(self, alerts: Alerts, error: StateError | None) -> None:
        """Tell what there is to tell, at most once a minute, of an error or of its end."""
        now = time.monotonic()
        if error is None:
            self._since = None
            if self._error and self._told:
                self._told -= alerts.shout(self._notice(self._error, recovered=True), self._told)
            return
        self._since = now if self._since is None else self._since
        if now - self._since >= GATHER_SECONDS and now >= self._again_at:
            self._error, self._again_at = error, now + APART_SECONDS
            unheard = alerts.hearers() - self._told
            self._told |= alerts.shout(self._notice(error, recovered=False), unheard)

    def _notice(self, error: StateError, *, recovered: bool) -> Notice:
        text = "The state can be written again." if recovered else f"{error.message} {error.mend}"
        return Notice(
            AlertRule.FAILURE, WHO, "", None, error.code, text, recovered=recovered, at=time.time()
        )  # fmt: skip
