"""Looking at what has ended and at what is late, and writing down what that changes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from rowlift.core.alerts import AlertRule, Notice
from rowlift.core.clock import Clock
from rowlift.core.nouns import Status
from rowlift.core.specs import AlertSpec
from rowlift.operations.freshness import Freshness, levels
from rowlift.operations.home import Home, sync_names
from rowlift.operations.judging import (
    PAST,
    Found,
    of_audience,
    of_channel,
    of_definition,
    of_delivery,
    of_forward,
    of_late_audience,
    of_logs,
    of_mended,
    of_run,
)
from rowlift.operations.lateness import looked_at
from rowlift.operations.logbooks import failure, is_asked_for
from rowlift.project.alerts import rules_of
from rowlift.project.slots import written
from rowlift.project.units import duration
from rowlift.state.alerts import AlertState, Judgement, Subject
from rowlift.state.deliveries import Delivery
from rowlift.state.runs import ERASURE, Run

LOGS = "logs"  # in the place of a uid: what runs did, written to a warehouse
_WATCHED = frozenset({"sync", "forward", "audience"})  # what does nothing while it is left out


def left_out(home: Home) -> Mapping[str, tuple[str, str]]:
    """Return by uid the kind and name of each sync, forward and audience that is wrong as it is."""
    if not any(kind in _WATCHED for kind, _ in home.broken):
        return {}
    live = (one for one in home.store.definitions.all(home.workspace_id) if not one.archived_at)
    return {
        one.uid: (one.kind, one.name)
        for one in live
        if one.kind in _WATCHED and (one.kind, one.name) in home.broken
    }


class Names:
    """What people call syncs and their parts, and all else that can be wrong, by uid."""

    def __init__(self, home: Home) -> None:
        left = left_out(home)
        self._others = {uid: f"forward {name}" for name, uid in home.forwards.items()}
        self._others |= {uid: f"channel {name}" for name, uid in home.channels.items()}
        self._others |= {uid: f"audience {name}" for name, uid in home.audiences.items()}
        self._others |= {
            uid: f"{kind} {name}" for uid, (kind, name) in left.items() if kind != "sync"
        }
        self._others |= {LOGS: "the logs of runs"} if is_asked_for(home) else {}
        self._syncs = sync_names(home)
        self._destinations = {uid: name for name, uid in home.destinations.items()}
        self._live = {*home.syncs.values(), *left, ERASURE}

    def sync(self, uid: str) -> str:
        """Return the name of a sync, also of one that is gone, or of what else is wrong."""
        if uid in self._others:
            return self._others[uid]
        own, _, part = uid.partition(".")
        return f"{self._syncs.get(own, own)} {part}".strip()

    def destination(self, uid: str) -> str:
        """Return the name of a destination; nothing for none."""
        return self._destinations.get(uid, uid)

    def are_gone(self, subject: Subject) -> bool:
        """Tell whether what was wrong, or the destination, is not declared any more."""
        uid, to = subject.sync_uid, subject.destination_uid
        is_there = uid in self._others or uid.partition(".")[0] in self._live
        return not is_there or (bool(to) and to not in self._destinations)


class Lookout:
    """Judges each run and delivery once, and what is a state of things again and again."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._store = home.store.alerts
        self._names = Names(home)
        self._live = {uid: name for name, uid in home.syncs.items()}

    def look(self) -> None:
        """Judge runs and deliveries that have ended since somebody looked last."""
        workspace_id = self._home.workspace_id
        while True:
            runs, deliveries = self._store.unjudged(workspace_id)
            if not (runs or deliveries):
                return
            self._store.judge(
                workspace_id,
                {one.id: list(self._of_run(one)) for one in runs},
                {one.id: list(self._of_delivery(one)) for one in deliveries},
            )

    def look_at_states(self) -> None:
        """Judge how fresh everything is, and how all else stands; forget what is gone."""
        workspace_id = self._home.workspace_id
        wrong = self._store.wrong(workspace_id)
        known = {one.subject for one in wrong}
        judged = (
            *self._levels(), *self._forwards(), *self._audiences(), *self._late_audiences(),
            *self._channels(),
            *self._mended(wrong), *self._left_out(), *self._logs(),
        )  # fmt: skip
        found = {one.subject: one for one in judged}
        changed = [one for subject, one in found.items() if one.wrong != (subject in known)]
        if changed:
            self._store.judge(workspace_id, {}, {}, changed)
        has_level = {one for one in known if one.rule is not AlertRule.LATE or one in found}
        if gone := [one for one in known if one not in has_level or self._names.are_gone(one)]:
            self._store.forget(workspace_id, gone)

    def _levels(self) -> Iterator[Judgement]:
        """Yield for each target of a sync whether one of its levels is missed."""
        paused = self._home.store.runs.paused(self._home.workspace_id)
        for name, uid in self._home.syncs.items():
            fresh, rules = self._home.project.syncs[name].fresh, self._rules(uid)
            has_level = fresh.within is not None or fresh.attributes
            if has_level and rules.late and uid not in paused:
                for target, late in _by_target(levels(self._home, name, self._clock)).items():
                    destination = self._home.destinations.get(target, "")
                    yield self._judged(_lateness(late), uid, destination, None, rules)

    def _forwards(self) -> Iterator[Judgement]:
        known = self._home.store.forwards.of(self._home.workspace_id) if self._home.forwards else {}
        rules = rules_of(self._home.project.alerts, {})
        for name, uid in self._home.forwards.items():
            if uid in known and rules.failure and known[uid].status is not Status.RUNNING:
                target = self._home.project.forwards[name].destination
                destination = self._home.destinations.get(target, "")
                yield self._judged(of_forward(known[uid]), uid, destination, None, rules)

    def _audiences(self) -> Iterator[Judgement]:
        """Yield of each audience whether its people could be found."""
        store = self._home.store.audiences
        known = store.of(self._home.workspace_id) if self._home.audiences else {}
        rules = rules_of(self._home.project.alerts, {})
        for uid in self._home.audiences.values():
            found = of_audience(known[uid]) if uid in known and rules.failure else None
            if found:
                yield self._judged(found, uid, "", None, rules)

    def _late_audiences(self) -> Iterator[Judgement]:
        """Yield of each audience that is to be looked at by the clock whether it is."""
        rules = rules_of(self._home.project.alerts, {})
        if not rules.late:
            return
        for name, (at, late) in looked_at(self._home, self._clock.now().timestamp()).items():
            every = self._home.project.audiences[name].every or 0
            found = of_late_audience(at, every, late=late)
            yield self._judged(found, self._home.audiences[name], "", None, rules)

    def _left_out(self) -> Iterator[Judgement]:
        """Yield of each definition that is wrong that nothing of it is done."""
        rules = rules_of(self._home.project.alerts, {})
        for uid, name in left_out(self._home).items() if rules.failure else ():
            code = self._home.broken[name].code
            yield self._judged(of_definition(code), uid, "", None, rules)

    def _logs(self) -> Iterator[Judgement]:
        """Yield whether what runs did could be written to the warehouse that wants it."""
        rules = rules_of(self._home.project.alerts, {})
        if is_asked_for(self._home) and rules.failure:
            yield self._judged(of_logs(failure(self._home)), LOGS, "", None, rules)

    def _mended(self, wrong: Iterable[AlertState]) -> Iterator[Judgement]:
        """Yield of each sync that was left out that it is in force; others tell by themselves."""
        for one in wrong:
            name = self._live.get(one.subject.sync_uid)
            if name and one.run_id is None and one.subject.rule is AlertRule.FAILURE:
                rules = self._rules(one.subject.sync_uid)
                yield self._judged(of_mended(), one.subject.sync_uid, "", None, rules)

    def _channels(self) -> Iterator[Judgement]:
        """Yield of each channel whether it takes messages; the others hear of it."""
        last = self._store.last(self._home.workspace_id)
        rules = rules_of(self._home.project.alerts, {})
        for name, uid in self._home.channels.items():
            found = of_channel(last[uid]) if uid in last and rules.failure else None
            if found:
                others = tuple(one for one in self._hearers(rules) if one != name)
                yield self._judged(found, uid, "", None, replace(rules, to=others))

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
        for found in of_delivery(one, self._home.store.runs.find(one.run_id), rules):
            yield self._judged(found, one.sync_uid, one.destination_uid, one.run_id, rules)

    def _rules(self, sync_uid: str) -> AlertSpec:
        name = self._live.get(sync_uid.partition(".")[0])
        own = self._home.project.syncs[name].alerts if name else {}
        return rules_of(self._home.project.alerts, own)

    def _judged(
        self, found: Found, sync_uid: str, destination_uid: str, run: int | None, rules: AlertSpec
    ) -> Judgement:
        notice = Notice(
            found.rule, self._names.sync(sync_uid), self._names.destination(destination_uid), run,
            found.code, found.text, not found.wrong, self._clock.now().timestamp(),
            self._url(run),
        )  # fmt: skip
        subject = Subject(found.rule, sync_uid, destination_uid)
        to = [self._home.channels[one] for one in self._hearers(rules)]
        return Judgement(subject, found.wrong, notice, to)

    def _hearers(self, rules: AlertSpec) -> Sequence[str]:
        channels = self._home.channels
        return [one for one in (channels if rules.to is None else rules.to) if one in channels]

    def _url(self, run: int | None) -> str:
        service = self._home.project.workspace.public_url
        return f"{service}/runs/{run}" if service and run else ""


def _by_target(found: Iterable[Freshness]) -> dict[str, list[Freshness]]:
    """Return the levels that are missed at each target, none of them at those where all is well."""
    by_target: dict[str, list[Freshness]] = {}
    for one in found:
        late = by_target.setdefault(one.target, [])
        late += [one] if one.late else []
    return by_target


def _lateness(late: Sequence[Freshness]) -> Found:
    """Return what is said of the levels of one target that are missed."""
    if not late:
        return Found(AlertRule.LATE, wrong=False, code="", text="is fresh again")
    shown = [f"{one.attribute or 'it'} within {duration(one.within or 0)}" for one in late]
    since = [one.as_of for one in late if one.as_of is not None]
    as_of = f"as of {written(min(since))}" if since else "nothing came yet"
    text = f"is late, {as_of}; promised: {', '.join(shown)}"
    return Found(AlertRule.LATE, wrong=True, code="LATE", text=text)
