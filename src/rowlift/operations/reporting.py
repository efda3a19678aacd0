"""Reports of what the state remembers."""

from collections.abc import Mapping, Sequence
from typing import Any

from rowlift.core.clock import Clock
from rowlift.engine.parts import Part, parts, uids
from rowlift.engine.populate import TARGET
from rowlift.operations.home import Home
from rowlift.operations.reports import DeliveryReport, RunReport, SyncReport
from rowlift.operations.timetable import next_slot
from rowlift.state.deliveries import Delivery
from rowlift.state.runs import Run
from rowlift.state.schedules import Schedule


def report_run(home: Home, run: Run, *, resumed: bool = False) -> RunReport:
    """Return one run with the newest delivery of each of its destinations."""
    names = home.store.definitions.names(home.workspace_id, "sync")
    return RunReport(
        id=run.id,
        sync=names.get(run.sync_uid, run.sync_uid),
        status=run.status,
        phase=run.phase,
        counts=run.counts,
        created_at=run.created_at,
        finished_at=run.finished_at,
        last_sync_time=home.store.runs.last_sync_time(run.sync_uid),
        reason_code=run.reason_code,
        reason=run.reason,
        resumed=resumed,
        retry_of=run.retry_of,
        scheduled_for=run.scheduled_for,
        deliveries=report_deliveries(home, run),
    )


def newest_deliveries(home: Home, run: Run) -> list[tuple[str, Delivery]]:
    """Return the newest delivery of a run to each destination, beside its part of the sync."""
    found = home.store.deliveries.of_run(run.id)
    names = {uid: part for part, uid in uids(run.sync_uid).items()}
    newest = {(names[one.sync_uid], one.destination_uid): one for one in found}
    return [(part, one) for (part, _), one in newest.items()]


def report_deliveries(home: Home, run: Run) -> Sequence[DeliveryReport]:
    """Return the newest delivery of a run to each destination."""
    names = home.store.definitions.names(home.workspace_id, "destination")
    return tuple(
        DeliveryReport(
            one.id,
            names.get(one.destination_uid, one.destination_uid),
            one.status,
            one.counts,
            one.reason_code,
            one.reason,
            part,
        )
        for part, one in newest_deliveries(home, run)
    )


def report_syncs(home: Home, clock: Clock) -> list[SyncReport]:
    """Return every sync of the project with its last run and its next slot."""
    known = home.store.schedules.all(home.workspace_id)
    return [_report_sync(home, name, known, clock) for name in sorted(home.project.syncs)]


def report_sync(home: Home, name: str, clock: Clock) -> SyncReport:
    """Return one sync with its last run and its next slot; raises ConfigError NAME_UNKNOWN."""
    home.sync(name)
    return _report_sync(home, name, home.store.schedules.all(home.workspace_id), clock)


def _report_sync(home: Home, name: str, known: Mapping[str, Schedule], clock: Clock) -> SyncReport:
    spec, uid = home.project.syncs[name], home.syncs[name]
    last = home.store.runs.latest(home.workspace_id, uid, limit=1)
    return SyncReport(
        name=name,
        kind=spec.kind.value,
        source=spec.source,
        destinations=tuple(use.use for use in spec.destinations),
        last_sync_time=home.store.runs.last_sync_time(uid),
        last_run=report_run(home, last[0]) if last else None,
        paused=home.store.runs.is_paused(uid),
        schedule=spec.schedule,
        next_slot=next_slot(spec, known.get(uid), int(clock.now().timestamp())),
    )


def describe_state(home: Home, name: str) -> Mapping[str, Any]:
    """Return what is remembered of one sync."""
    uid, spec = home.syncs[name], home.project.syncs[name]
    own, *others = parts(spec, uid)
    remembered = {"sync": name, "last_sync_time": home.store.runs.last_sync_time(uid)}
    return {**remembered, **_part(home, own), **{one.name: _part(home, one) for one in others}}


def _part(home: Home, part: Part) -> Mapping[str, Any]:
    image = home.store.images.image(part.uid)
    targets = {use.use: home.destinations[use.use] for use in part.spec.destinations}
    if part.spec.workspace:
        targets = {TARGET: TARGET, **targets}
    return {
        "image": {
            "revision": image.revision if image else 0,
            "rows": image.rows if image else 0,
            "present": image.present if image else 0,
            "key_column": image.key_column if image else None,
            "columns": [column.name for column in image.columns] if image else [],
        },
        "ledgers": {name: _ledger(home, part.uid, target) for name, target in targets.items()},
    }


def _ledger(home: Home, uid: str, target: str) -> Mapping[str, Any]:
    ledger = home.store.images.ledger(uid, target, home.workspace_id)
    kinds = ["ledger_base", "ledger_delta"]
    files = home.store.files.live(kinds, uid, target)
    return {"revision": ledger.revision, "epoch": ledger.epoch, "files": len(files)}
