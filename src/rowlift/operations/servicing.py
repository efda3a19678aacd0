"""What people ask of the service that runs a project's schedules, and what it says of itself."""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass

from rowlift.core.errors import RowliftError
from rowlift.operations.cancelling import cancel
from rowlift.operations.home import Home, sync_names
from rowlift.operations.pausing import chosen, refuse_paused
from rowlift.operations.reporting import report_run
from rowlift.operations.reports import RequestReport, RunReport, ServiceReport
from rowlift.state.triggers import Trigger


@dataclass(frozen=True, slots=True)
class ServiceDesk:
    """The way to the process that serves a project, through the state they share.

    `by` says who asks, for the log; without it the user of this process.
    """

    home: Home

    def status(self) -> ServiceReport | None:
        """Return the process that serves the project, or did last; None if there never was one."""
        found = self.home.store.services.last(self.home.workspace_id)
        if found is None:
            return None
        return ServiceReport(found.place, found.started_at, found.beat_at, found.is_alive)

    def trigger(
        self, syncs: Sequence[str], *, by: str = "", allow_removals: bool = False
    ) -> list[RequestReport]:
        """Ask the service to run syncs next, each as soon as no other run is active.

        Raises RowliftError SERVICE_DOWN while none runs, and GuardStop PAUSED.
        """
        status = self.status()
        if status is None or not status.is_alive:
            text = "No service runs here, so nobody would begin the run."
            raise RowliftError(
                "SERVICE_DOWN", text, mend="Start it: rowlift serve. Or: rowlift run"
            )
        uids = [self.home.syncs[name] for name in chosen(self.home, syncs)]
        for uid in uids:
            refuse_paused(self.home, uid)
        ask = self.home.store.triggers.ask
        asked = [
            ask(self.home.workspace_id, uid, by or _somebody(), allow_removals=allow_removals)
            for uid in uids
        ]
        return [self._report(one) for one in asked]

    def requests(self, limit: int = 20) -> list[RequestReport]:
        """Return the newest requests first."""
        found = self.home.store.triggers.latest(self.home.workspace_id, limit)
        return [self._report(one) for one in found]

    def cancel(self, run_id: int, *, by: str = "") -> RunReport:
        """Ask for the end of a run and of its deliveries, whichever process carries them.

        It ends within seconds and is recorded as Cancelled; what is due stays due. Raises
        StateError NOT_FOUND, and GuardStop RUN_OVER.
        """
        return report_run(self.home, cancel(self.home, run_id, by or _somebody()))

    def _report(self, one: Trigger) -> RequestReport:
        name = sync_names(self.home).get(one.sync_uid, one.sync_uid)
        run = self.home.store.runs.find(one.run_id) if one.run_id else None
        return RequestReport(
            one.id, name, one.asked_by, one.asked_at, is_waiting=bool(one.open), run=one.run_id,
            status=run.status if run else None, reason_code=one.reason_code, reason=one.reason,
        )  # fmt: skip


def _somebody() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
