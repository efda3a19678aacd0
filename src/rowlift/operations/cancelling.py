"""End a run and its deliveries before their time; what is due stays due."""

from rowlift.core.errors import GuardStop
from rowlift.core.progress import Silent
from rowlift.core.specs import SyncSpec
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


def _end_abandoned(home: Home) -> None:
    left = home.store.runs.take_over(home.workspace_id)
    if left:
        text = f"Run {left.id} was cancelled by {left.cancelled_by}."
        reason = GuardStop("CANCELLED", text, mend="Run again: what it left is still due.")
        Importer(home, Silent()).cancel(left, SyncSpec.from_json(left.spec), reason)
