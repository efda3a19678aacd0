"""What is wrong, who is told of it, and how fresh everything is."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from rowlift.core.alerts import AlertRule, Notice
from rowlift.core.clock import Clock
from rowlift.core.errors import RowliftError, StateError
from rowlift.core.specs import AlertSpec
from rowlift.operations.freshness import Freshness, freshness, levels
from rowlift.operations.home import Home, sync_names
from rowlift.operations.judging import PAST, Found, of_delivery, of_run
from rowlift.operations.telling import Teller, heard_discreetly
from rowlift.project.alerts import rules_of
from rowlift.project.slots import written
from rowlift.project.units import duration
from rowlift.state.alerts import AlertState, Judgement, Outgoing, Subject
from rowlift.state.deliveries import Delivery
from rowlift.state.runs import Run


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
        self._names = sync_names(home)
        self._live = {uid: name for name, uid in home.syncs.items()}
        self._destinations = {uid: name for name, uid in home.destinations.items()}

    # what is done beside runs

    def look(self, *, levels: bool = True) -> None:
        """Judge what has ended since somebody looked last and, with `levels`, what is late."""
        workspace_id = self._home.workspace_id
        while True:
            runs, deliveries = self._store.unjudged(workspace_id)
            if not (runs or deliveries):
                break
            self._store.judge(
                workspace_id,
                {one.id: list(self._of_run(one)) for one in runs},
                {one.id: list(self._of_delivery(one)) for one in deliveries},
            )
        if levels:
            self._look_at_levels()

    def tell(self, *, at_once: bool = False) -> None:
        """Tell channels what is due; `at_once` without gathering what may still come."""
        Teller(self._home, self._clock).tell(at_once=at_once)

    def _look_at_levels(self) -> None:
        wrong = {one.subject for one in self._store.wrong(self._home.workspace_id)}
        found = {one.subject: one for one in self._levels()}
        changed = [one for subject, one in found.items() if one.wrong != (subject in wrong)]
        if changed:
            self._store.judge(self._home.workspace_id, {}, {}, changed)
        gone = [one for one in wrong if self._is_gone(one) or _has_no_level(one, found)]
        if gone:
            self._store.forget(self._home.workspace_id, gone)

    def _is_gone(self, one: Subject) -> bool:
        """Tell whether the sync or the destination is not declared any more."""
        own = one.sync_uid.partition(".")[0]
        is_known = not one.destination_uid or one.destination_uid in self._destinations
        return not is_known or (own in self._names and own not in self._live)

    def _levels(self) -> Iterator[Judgement]:
        """Yield for each target of a sync whether one of its levels is missed."""
        paused = self._home.store.runs.paused(self._home.workspace_id)
        for name, uid in self._home.syncs.items():
            spec = self._home.project.syncs[name]
            has_level = spec.fresh.within is not None or spec.fresh.attributes
            rules = self._rules(uid)
            if not has_level or not rules.late or uid in paused:
                continue
            by_target: dict[str, list[Freshness]] = {}
            for one in levels(self._home, name, self._clock):
                by_target.setdefault(one.target, []).append(one)
            for target, each in by_target.items():
                destination = self._home.destinations.get(target, "")
                found = _lateness([one for one in each if one.late])
                yield self._judged(found, uid, destination, None, rules)

    # judging

    def _of_run(self, run: Run) -> Iterator[Judgement]:
        rules = self._rules(run.sync_uid)
        past: Sequence[Run] = ()
        if rules.slower is not None or rules.count_off is not None:
            latest = self._home.store.runs.latest
            past = latest(run.workspace_id, run.sync_uid, 2 * PAST, run.id)
        for found in of_run(run, rules, past):
            yield self._judged(found, run.sync_uid, "", run.id, rules)

    def _of_delivery(self, one: Delivery) -> Iterator[Judgement]:
        rules = self._rules(one.sync_uid)
        for found in of_delivery(one, rules):
            yield self._judged(found, one.sync_uid, one.destination_uid, one.run_id, rules)

    def _rules(self, sync_uid: str) -> AlertSpec:
        name = self._live.get(sync_uid.partition(".")[0])
        spec = self._home.project.syncs[name] if name else None
        return rules_of(self._home.project.alerts, spec.alerts if spec else {})

    def _judged(
        self, found: Found, sync_uid: str, destination_uid: str, run: int | None, rules: AlertSpec
    ) -> Judgement:
        notice = Notice(
            found.rule, self._sync(sync_uid), self._destination(destination_uid), run, found.code,
            found.text, not found.wrong, self._clock.now().timestamp(),
        )  # fmt: skip
        channels = self._home.channels
        names = channels if rules.to is None else [one for one in rules.to if one in channels]
        subject = Subject(found.rule, sync_uid, destination_uid)
        return Judgement(subject, found.wrong, notice, [channels[one] for one in names])

    def _sync(self, uid: str) -> str:
        own, _, part = uid.partition(".")
        return f"{self._names.get(own, own)} {part}".strip()

    def _destination(self, uid: str) -> str:
        return self._destinations.get(uid, uid)

    # answers

    def wrong(self) -> list[AlertReport]:
        """Return what is wrong now, the newest first."""
        return [self._report(one) for one in self._store.wrong(self._home.workspace_id)]

    def _report(self, one: AlertState) -> AlertReport:
        subject = one.subject
        return AlertReport(
            subject.rule, self._sync(subject.sync_uid), self._destination(subject.destination_uid),
            one.since, one.run_id, one.code, one.text,
        )  # fmt: skip

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


def _has_no_level(one: Subject, levels_: Mapping[Subject, Judgement]) -> bool:
    return one.rule is AlertRule.LATE and one not in levels_


def _lateness(late: Sequence[Freshness]) -> Found:
    """Return what is said of the levels of one target that are missed."""
    if not late:
        return Found(AlertRule.LATE, wrong=False, code="", text="is fresh again")
    shown = [f"{one.attribute or 'it'} within {duration(one.within or 0)}" for one in late]
    since = [one.as_of for one in late if one.as_of is not None]
    as_of = f"as of {written(min(since))}" if since else "nothing came yet"
    text = f"is late, {as_of}; promised: {', '.join(shown)}"
    return Found(AlertRule.LATE, wrong=True, code="LATE", text=text)


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
