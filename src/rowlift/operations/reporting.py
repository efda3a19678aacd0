"""Reports of what the state remembers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rowlift.core.clock import Clock
from rowlift.core.progress import Headway
from rowlift.engine.parts import Part, parts, uids
from rowlift.operations.home import Home
from rowlift.operations.reports import DeliveryReport, ProgressReport, RunReport, SyncReport
from rowlift.operations.timetable import next_slot
from rowlift.state.deliveries import Delivery
from rowlift.state.files import PINS
from rowlift.state.images import WORKSPACE
from rowlift.state.runs import Run


def report_run(home: Home, run: Run, *, resumed: bool = False) -> RunReport:
    """Return one run with the newest delivery of each of its destinations."""
    return replace(report_runs(home, [run])[0], resumed=resumed)


def report_runs(home: Home, found: Sequence[Run]) -> list[RunReport]:
    """Return runs with the newest delivery of each of their destinations."""
    names = home.store.definitions.names(home.workspace_id, "sync")
    moments = home.store.runs.last_sync_times({run.sync_uid for run in found})
    deliveries = _deliveries(home, found)
    return [
        RunReport(
            id=run.id,
            sync=names.get(run.sync_uid, run.sync_uid),
            status=run.status,
            phase=run.phase,
            counts=run.counts,
            created_at=run.created_at,
            finished_at=run.finished_at,
            last_sync_time=moments.get(run.sync_uid, 0),
            reason_code=run.reason_code,
            reason=run.reason,
            resumed=False,
            retry_of=run.retry_of,
            first_rows=run.first_rows,
            undo_of=run.undo_of,
            scheduled_for=run.scheduled_for,
            deliveries=deliveries[run.id],
            progress=report_progress(run.progress) if run.active else None,
        )
        for run in found
    ]


def report_progress(found: Headway | None) -> ProgressReport | None:
    """Return how far work is that goes on, if anything was written down of it."""
    if found is None:
        return None
    left, fits = found.seconds_left, found.total is not None and found.rows <= found.total
    return ProgressReport(
        found.phase, found.part, found.rows, found.total if fits else None, found.rate,
        None if left is None else round(left, 1), found.began_at,
    )  # fmt: skip


def latest(
    home: Home, sync: str | None, limit: int, before: int | None, *, failed: bool
) -> list[RunReport]:
    """Return the newest runs, of a sync or of all, from the one before an id."""
    uid = home.syncs[home.sync(sync).name] if sync else None
    found = home.store.runs.latest(home.workspace_id, uid, limit, before, failed=failed)
    return report_runs(home, found)


def newest_deliveries(run: Run, found: Iterable[Delivery]) -> list[tuple[str, Delivery]]:
    """Return the newest of a run's deliveries to each destination, beside its part of the sync."""
    names = {uid: part for part, uid in uids(run.sync_uid).items()}
    newest = {(names[one.sync_uid], one.destination_uid): one for one in found}
    return [(part, one) for (part, _), one in newest.items()]


def report_deliveries(home: Home, run: Run) -> Sequence[DeliveryReport]:
    """Return the newest delivery of a run to each destination."""
    return _deliveries(home, [run])[run.id]


def _deliveries(home: Home, found: Sequence[Run]) -> Mapping[int, Sequence[DeliveryReport]]:
    names = home.store.definitions.names(home.workspace_id, "destination")
    queued = defaultdict(list)
    for one in home.store.deliveries.of_runs([run.id for run in found]):
        queued[one.run_id].append(one)
    return {
        run.id: tuple(
            DeliveryReport(
                one.id,
                names.get(one.destination_uid, one.destination_uid),
                one.status,
                one.counts,
                one.reason_code,
                one.reason,
                part,
                report_progress(one.progress) if one.active and one.generation else None,
            )
            for part, one in newest_deliveries(run, queued[run.id])
        )
        for run in found
    }


def report_syncs(home: Home, clock: Clock) -> list[SyncReport]:
    """Return every sync of the project with its last run and its next slot."""
    return _syncs(home, sorted(home.project.syncs), clock)


def report_sync(home: Home, name: str, clock: Clock) -> SyncReport:
    """Return one sync with its last run and its next slot; raises ConfigError NAME_UNKNOWN."""
    home.sync(name)
    return _syncs(home, [name], clock)[0]


def _syncs(home: Home, names: Sequence[str], clock: Clock) -> list[SyncReport]:
    by_uid = {home.syncs[name]: home.project.syncs[name] for name in names}
    known = home.store.schedules.all(home.workspace_id)
    paused = home.store.runs.paused(home.workspace_id)
    pinned = home.store.files.rows(PINS, home.workspace_id)
    undos = home.store.runs.pausing_undos(home.workspace_id)
    moments = home.store.runs.last_sync_times(by_uid)
    newest = home.store.runs.newest(by_uid)
    last = dict(zip(newest, report_runs(home, [*newest.values()]), strict=True))
    now = int(clock.now().timestamp())
    return [
        SyncReport(
            name=spec.name,
            kind=spec.kind.value,
            source=spec.source,
            destinations=tuple(use.use for use in spec.destinations),
            last_sync_time=moments.get(uid, 0),
            last_run=last.get(uid),
            paused=uid in paused,
            schedule=spec.schedule,
            next_slot=next_slot(spec, known.get(uid), now),
            undone=sum(pinned.get(part, 0) for part in uids(uid).values()),
            paused_by_undo=undos.get(uid),
        )
        for uid, spec in by_uid.items()
    ]


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
        targets = {WORKSPACE: WORKSPACE, **targets}
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
