"""The alarm that needs no state: that nothing can be written down, and that it can be again."""

import time

from rowlift.core.alerts import AlertRule, Notice
from rowlift.core.errors import StateError
from rowlift.operations.alerting import Alerts
from rowlift.operations.telling import APART_SECONDS, GATHER_SECONDS
from rowlift.state.outage import Outage, OutageNote

WHO = "the service"  # in the place of a sync, none of which has a name with a space


class StateAlarm:
    """Tells channels once of what lasts for ten seconds, and once of its end.

    What it told stands in a note, so that the next process neither tells it anew nor forgets to
    tell that it is over.
    """

    def __init__(self, note: OutageNote) -> None:
        left = note.read()
        self._note = note
        self._outage = left or Outage("", "", ())  # what lasts, or what was told and is over
        self._since: float | None = None
        self._again_at = float("-inf")

    def look(self, alerts: Alerts, error: StateError | None) -> None:
        """Tell what there is to tell of an error or of its end; who does not hear, a minute later.

        Whoever hears of failures no more need not hear of the end either.
        """
        now = time.monotonic()
        if error:
            self._since = now if self._since is None else self._since
            if now - self._since >= GATHER_SECONDS and now >= self._again_at:
                self._again_at = now + APART_SECONDS
                self._begun(alerts, error)
            return
        if self._since is not None:
            self._since, self._again_at = None, float("-inf")
        if self._outage.told and now >= self._again_at:
            self._again_at = now + APART_SECONDS
            self._ended(alerts)

    def _begun(self, alerts: Alerts, error: StateError) -> None:
        told = set(self._outage.told)
        outage = Outage(error.code, f"{error.message} {error.mend}", ())
        heard = alerts.shout(_notice(outage, recovered=False), alerts.hearers() - told)
        self._remember(outage, told | heard)

    def _ended(self, alerts: Alerts) -> None:
        waiting = alerts.hearers() & {*self._outage.told}
        heard = alerts.shout(_notice(self._outage, recovered=True), waiting)
        self._remember(self._outage, waiting - heard)

    def _remember(self, outage: Outage, told: set[str]) -> None:
        known = Outage(outage.code, outage.text, tuple(sorted(told)))
        if known != self._outage:
            self._outage = known
            self._note.write(known if told else None)


def _notice(outage: Outage, *, recovered: bool) -> Notice:
    text = "The state can be written again." if recovered else outage.text
    return Notice(
        AlertRule.FAILURE, WHO, "", None, outage.code, text, recovered=recovered, at=time.time()
    )  # fmt: skip
