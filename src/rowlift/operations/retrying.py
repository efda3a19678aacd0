"""Try again what a run left, each row in its newest version, without asking the source."""

from rowlift.core.errors import ConfigError
from rowlift.core.specs import SyncSpec
from rowlift.engine.compare import guard_key
from rowlift.engine.parts import parts, uids
from rowlift.engine.populate import REJECTS
from rowlift.operations.home import Home, sync_names
from rowlift.operations.importing import Importer
from rowlift.operations.openings import Opening
from rowlift.operations.reporting import report_deliveries, report_run
from rowlift.operations.reports import RetryReport
from rowlift.state.deliveries import Delivery
from rowlift.state.runs import Run


def apply_again(importer: Importer, run: Run) -> Run | None:
    """Apply again what the workspace rejected in a run, from the image as it is now.

    Returns the run that did it; None where there is nothing of the kind. Raises Busy, and what
    `opening_again` does.
    """
    opening = opening_again(importer.home, run)
    if opening is None:
        return None
    spec = _spec(importer.home, run)
    again = importer.home.store.runs.open_retry(run, spec.to_json(), opening.source_time)
    return importer.carry(again, spec, allow_removals=False)


def opening_again(home: Home, run: Run) -> Opening | None:
    """Return how a run begins that applies again what another one rejected; None if nothing was.

    It takes the rows of the image, as of when the source gave them. Raises ConfigError where the
    sync is gone, and GuardStop KEY_CHANGED.
    """
    image = home.store.images.image(run.sync_uid)
    if image is None or not _has_rejects(home, run):
        return None
    spec = _spec(home, run)
    if not spec.workspace:
        return None
    for part in parts(spec, run.sync_uid):
        guard_key(home.store.images.image(part.uid), part.spec)
    read = home.store.runs.get(image.run_id)
    return Opening("apply", retry_of=run.id, source_time=read.source_time)


def _has_rejects(home: Home, run: Run) -> bool:
    files = home.store.files
    return any(files.of_run(REJECTS, run.id, uid) for uid in uids(run.sync_uid).values())


def _spec(home: Home, run: Run) -> SyncSpec:
    """Return the sync of a run as it is now."""
    specs = {uid: home.project.syncs[name] for name, uid in home.syncs.items()}
    if run.sync_uid not in specs:
        raise ConfigError(
            "NAME_UNKNOWN",
            f"The sync of run {run.id} is not there any more.",
            mend="Put its file back; its rows stay due.",
        )
    return specs[run.sync_uid]


def send_again(home: Home, run: Run) -> None:
    """Queue what a run's deliveries left undelivered, as the newest settings say."""
    store = home.store
    tried = {one.destination_uid for one in store.deliveries.of_run(run.id)}
    for part in uids(run.sync_uid).values():
        uses = {
            uid: one.spec
            for uid, one in store.deliveries.newest(part).items()
            if uid in tried and not one.is_followed
        }
        with store.database.transaction("delivery.retry") as connection:
            store.deliveries.queue(connection, run.workspace_id, part, run.id, uses)


def queue_again(home: Home, left: Delivery) -> None:
    """Queue once more what a delivery left, unless a newer one will send it anyway."""
    store = home.store
    newest = store.deliveries.newest(left.sync_uid).get(left.destination_uid)
    if newest is None or newest.id != left.id:
        return
    uses = {left.destination_uid: left.spec}
    with store.database.transaction("delivery.retry") as connection:
        store.deliveries.queue(connection, left.workspace_id, left.sync_uid, left.run_id, uses)


def report_retry(home: Home, run: Run, again: Run | None) -> RetryReport:
    """Return what became of a run's rows, with the run that applied them again."""
    sync = sync_names(home).get(run.sync_uid, run.sync_uid)
    workspace = report_run(home, again) if again else None
    return RetryReport(run.id, sync, workspace, report_deliveries(home, run))
