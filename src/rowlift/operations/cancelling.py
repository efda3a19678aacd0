"""End a run and its deliveries before their time; what is due stays due."""

from contextlib import suppress

from rowlift.core.errors import GuardStop
from rowlift.core.progress import Silent
from rowlift.core.specs import SyncSpec
from rowlift.engine.parts import uids
from rowlift.operations.home import Home
from rowlift.operations.importing import Importer
from rowlift.state.runs import ERASURE, Run


def cancel(home: Home, run_id: int, by: str) -> Run:
    """Ask whoever carries a run or its deliveries to end them; what nobody carries ends here."""
    run = home.run(run_id)
    if run.sync_uid == ERASURE:
        text = f"Run {run_id} erases a person and is not cancelled."
        raise GuardStop("RUN_OVER", text, mend="Wait: it goes on until nothing is left.")
    deliveries = home.store.deliveries.cancel(run_id, by)
    if home.store.runs.cancel(run_id, by):
        _end_abandoned(home)
    elif not deliveries:
        text = f"Run {run_id} is over: {run.status.value}."
        raise GuardStop("RUN_OVER", text, mend="Nothing to do.")
    return home.store.runs.get(run_id)


def cancel_deleted(home: Home, sync_uid: str) -> None:
    """Ask for the end of what goes on of a sync that was deleted; what it imported stays."""
    open_ = [one for uid in uids(sync_uid).values() for one in home.store.deliveries.open(uid)]
    runs = {one.run_id for one in open_}
    active = home.store.runs.active(home.workspace_id)
    if active and active.sync_uid == sync_uid:
        runs.add(active.id)
    for run_id in runs:
        with suppress(GuardStop):  # it ended by itself
            cancel(home, run_id, "the deletion of its sync")


def _end_abandoned(home: Home) -> None:
    left = home.store.runs.take_over(home.workspace_id)
    if left:
        text = f"Run {left.id} was cancelled by {left.cancelled_by}."
        reason = GuardStop("CANCELLED", text, mend="Run again: what it left is still due.")
        Importer(home, Silent()).cancel(left, SyncSpec.from_json(left.spec), reason)
