"""Figures of how things stand at this moment, each as a metric's name, its labels and a value."""

from collections.abc import Iterator

from rowlift.core.clock import SystemClock
from rowlift.core.nouns import Status
from rowlift.operations.freshness import levels
from rowlift.operations.home import Home
from rowlift.operations.lateness import looked_at
from rowlift.operations.logbooks import failure, is_asked_for
from rowlift.state.freshness import made_at

Sample = tuple[str, tuple[str, ...], float]


def gauges(home: Home, now: float) -> Iterator[Sample]:
    """Yield what is told of syncs, audiences, channels and definitions as they stand."""
    yield from _syncs(home, now)
    yield from _audiences(home, now)
    yield from _alerts(home)
    if is_asked_for(home):
        yield "rowlift_write_back_failing", (), float(bool(failure(home)))
    yield "rowlift_files_refused", (), float(bool(home.unread))
    for kind, _ in home.broken:
        yield "rowlift_definitions_left_out", (kind,), 1


def lag(home: Home, sync_uid: str, succeeded_at: float | None, now: float) -> float:
    """Return for how many seconds a sync did not succeed, at most since it was made."""
    since = made_at(home.store.database, sync_uid) if succeeded_at is None else succeeded_at
    return max(0.0, now - since)


def _syncs(home: Home, now: float) -> Iterator[Sample]:
    paused = home.store.runs.paused(home.workspace_id)
    for name, uid in home.syncs.items():
        yield "rowlift_sync_paused", (name,), float(uid in paused)
        late: dict[str, bool] = {}
        for one in levels(home, name, SystemClock()):
            if one.as_of is not None and not one.attribute:
                age = max(0.0, now - one.as_of)
                yield "rowlift_sync_data_age_seconds", (name, one.target), age
            if one.within is not None:
                late[one.target] = late.get(one.target, False) or one.late
        for target, is_late in late.items():
            yield "rowlift_sync_late", (name, target), float(is_late)


def _audiences(home: Home, now: float) -> Iterator[Sample]:
    if not home.audiences:
        return
    known = home.store.audiences.of(home.workspace_id)
    for name, (_, late) in looked_at(home, now).items():
        yield "rowlift_audience_late", (name,), float(late)
    for name, uid in home.audiences.items():
        one, spec = known.get(uid), home.project.audiences[name]
        for newest in home.store.audiences.sizes(uid, 1):
            yield "rowlift_audience_people", (name,), newest.members
        if one and one.looked_at:
            yield "rowlift_audience_age_seconds", (name,), max(0.0, now - one.looked_at)
        is_due = one is None or one.is_wanted(spec.meaning, spec.every, now)
        yield "rowlift_audience_due", (name,), float(is_due)
        is_failing = one is not None and one.status is Status.FAILED
        yield "rowlift_audience_failing", (name,), float(is_failing)


def _alerts(home: Home) -> Iterator[Sample]:
    alerts, names = home.store.alerts, {uid: name for name, uid in home.syncs.items()}
    for wrong in alerts.wrong(home.workspace_id):
        if sync := names.get(wrong.subject.sync_uid.partition(".")[0]):
            yield "rowlift_alerts", (sync, wrong.subject.rule), 1
    last, waiting = alerts.last(home.workspace_id), alerts.waiting(home.workspace_id)
    for name, uid in home.channels.items():
        is_failing = uid in last and last[uid].is_failing
        yield "rowlift_channel_failing", (name,), float(is_failing)
        yield "rowlift_channel_notices_waiting", (name,), waiting.get(uid, (0, 0.0))[0]
    for kind, name in home.broken:
        if kind == "channel":
            yield "rowlift_channel_failing", (name,), 1
