"""What is wrong, who is told of it, and how fresh everything is."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from rowlift.core.alerts import AlertRule, Notice
from rowlift.core.clock import Clock
from rowlift.core.errors import RowliftError, StateError
from rowlift.operations.freshness import Freshness, freshness
from rowlift.operations.home import Home
from rowlift.operations.looking import Lookout, Names
from rowlift.operations.telling import Teller, heard_discreetly
from rowlift.project.alerts import rules_of
from rowlift.state.alerts import AlertState, Outgoing
from rowlift.state.outage import OutageNote


@dataclass(frozen=True, slots=True)
class AlertReport:
    """Something that is wrong since a moment in Unix seconds; `run` showed it."""

    rule: AlertRule
    sync: str
    destination: str
    since: float
    run: int | None
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """A channel: how many notices wait, when it was last tried, and whether it fails.

    `attempts` are those of its newest message; `problem` says why it did not take it, or why the
    channel is left out.
    """

    name: str
    type: str = ""
    waiting: int = 0
    tried_at: float | None = None
    attempts: int = 0
    failing: bool = False
    code: str = ""
    problem: str = ""


class Alerts:
    """Judges what has ended, tells channels, and answers what is wrong now."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._store = home.store.alerts

    # what is done beside runs

    def look(self, *, states: bool = True) -> None:
        """Judge what has ended since somebody looked last, and with `states` what is late."""
        lookout = Lookout(self._home, self._clock)
        lookout.look()
        if states:
            lookout.look_at_states()

    def tell(self, *, at_once: bool = False) -> None:
        """Tell channels what is due; `at_once` without gathering what may still come."""
        Teller(self._home, self._clock).tell(at_once=at_once)

    # what is told while nothing can be written down

    def hearers(self) -> set[str]:
        """Return the channels that hear of failures of no sync's own."""
        rules = rules_of(self._home.project.alerts, {})
        to = self._home.channels if rules.to is None else rules.to
        return {one for one in to if one in self._home.channels and rules.failure}

    def note(self) -> OutageNote:
        """Return where it is remembered, from one process to the next, what they were told."""
        return OutageNote(self._home.store.folder, self._home.workspace_id)

    def shout(self, notice: Notice, channels: Collection[str]) -> set[str]:
        """Send a notice of its own to channels, once, and return those that took it."""
        return Teller(self._home, self._clock).shout(notice, channels)

    # answers

    def wrong(self) -> list[AlertReport]:
        """Return what is wrong now, the newest first."""
        names = Names(self._home)
        return [_report(one, names) for one in self._store.wrong(self._home.workspace_id)]

    def channels(self) -> list[ChannelReport]:
        """Return the channels by name, those that are left out too."""
        waiting = self._store.waiting(self._home.workspace_id)
        last = self._store.last(self._home.workspace_id)
        found = [
            _channel(name, self._home.project.channels[name].type, waiting.get(uid), last.get(uid))
            for name, uid in self._home.channels.items()
        ]
        broken = [
            ChannelReport(name, failing=True, code=error.code, problem=error.message)
            for (kind, name), error in self._home.broken.items()
            if kind == "channel"
        ]
        return sorted([*found, *broken], key=lambda one: one.name)

    def test(self, channel: str, *, discreet: bool = False) -> None:
        """Send a test to a channel; raises RowliftError CHANNEL_FAILED where it is not taken.

        With `discreet` whatever keeps a server from us reads the same.
        """
        heard = Teller(self._home, self._clock).test(channel)
        if discreet:
            heard = heard_discreetly(heard)
        if not heard.ok:
            text = f"The channel {channel} did not take the test: {heard.reason} ({heard.code})"
            raise RowliftError("CHANNEL_FAILED", text, mend="Mend its settings and test it again.")

    def freshness(self, sync: str | None = None) -> list[Freshness]:
        """Return how fresh every sync is at each target; of a single one also each attribute.

        Raises ConfigError NAME_UNKNOWN.
        """
        return freshness(self._home, self._clock, sync)


@contextmanager
def telling(home: Home, clock: Clock) -> Iterator[None]:
    """Tell channels after a block of runs, however it went, unless a service does."""
    try:
        yield
    except RowliftError:
        _tell(home, clock)
        raise
    _tell(home, clock)


def _tell(home: Home, clock: Clock) -> None:
    with suppress(StateError):  # what is not told now is told the next time
        service = home.store.services.last(home.workspace_id)
        if service is None or not service.is_alive:
            alerts = Alerts(home, clock)
            alerts.look()
            alerts.tell(at_once=True)


def _report(one: AlertState, names: Names) -> AlertReport:
    sync, destination = one.subject.sync_uid, one.subject.destination_uid
    return AlertReport(
        one.subject.rule, names.sync(sync), names.destination(destination), one.since, one.run_id,
        one.code, one.text,
    )  # fmt: skip


def _channel(
    name: str, kind: str, waiting: tuple[int, float] | None, last: Outgoing | None
) -> ChannelReport:
    number = waiting[0] if waiting else 0
    if last is None:
        return ChannelReport(name, kind, number)
    return ChannelReport(
        name, kind, number, last.tried_at, last.attempts, last.is_failing, last.reason_code,
        last.reason,
    )  # fmt: skip
