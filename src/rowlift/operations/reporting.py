"""Reports of what the state remembers."""

from collections.abc import Mapping, Sequence
from typing import Any

from rowlift.engine.populate import TARGET
from rowlift.operations.home import Home
from rowlift.operations.reports import DeliveryReport, RunReport, SyncReport
from rowlift.state.deliveries import Delivery
from rowlift.state.runs import Run


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
        deliveries=_deliveries(home, home.store.deliveries.of_run(run.id)),
    )


def _deliveries(home: Home, found: Sequence[Delivery]) -> Sequence[DeliveryReport]:
    names = home.store.definitions.names(home.workspace_id, "destination")
    newest = {one.destination_uid: one for one in found}
    return tuple(
        DeliveryReport(
            one.id,
            names.get(one.destination_uid, one.destination_uid),
            one.status,
            one.counts,
            one.reason_code,
            one.reason,
        )
        for one in newest.values()
    )


def report_syncs(home: Home) -> list[SyncReport]:
    """Return every sync of the project with its last run."""
    return [_report_sync(home, name) for name in sorted(home.project.syncs)]


def _report_sync(home: Home, name: str) -> SyncReport:
    spec, uid = home.project.syncs[name], home.syncs[name]
    last = home.store.runs.latest(home.workspace_id, uid, limit=1)
    return SyncReport(
        name=name,
        kind=spec.kind.value,
        source=spec.source,
        destinations=tuple(use.use for use in spec.destinations),
        last_sync_time=home.store.runs.last_sync_time(uid),
        last_run=report_run(home, last[0]) if last else None,
    )


def describe_state(home: Home, name: str) -> Mapping[str, Any]:
    """Return what is remembered of one sync."""
    uid, spec = home.syncs[name], home.project.syncs[name]
    image = home.store.images.image(uid)
    targets = {use.use: home.destinations[use.use] for use in spec.destinations}
    if spec.workspace:
        targets = {TARGET: TARGET, **targets}
    return {
        "sync": name,
        "last_sync_time": home.store.runs.last_sync_time(uid),
        "image": {
            "revision": image.revision if image else 0,
            "rows": image.rows if image else 0,
            "present": image.present if image else 0,
            "key_column": image.key_column if image else None,
            "columns": [column.name for column in image.columns] if image else [],
        },
        "ledgers": {name: _ledger(home, uid, target) for name, target in targets.items()},
    }


def _ledger(home: Home, uid: str, target: str) -> Mapping[str, Any]:
    ledger = home.store.images.ledger(uid, target, home.workspace_id)
    kinds = ["ledger_base", "ledger_delta"]
    files = home.store.files.live(kinds, uid, target)
    return {"revision": ledger.revision, "epoch": ledger.epoch, "files": len(files)}
