"""What people ask of the service that runs a project's schedules, and what it says of itself."""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass

from rowlift import operations
from rowlift.core.errors import RowliftError
from rowlift.operations.approving import LIFTING, refuse_alone
from rowlift.operations.home import Home, sync_names
from rowlift.operations.pausing import chosen, refuse_paused
from rowlift.operations.reporting import report_deliveries, report_run
from rowlift.operations.reports import RequestReport, RetryRequest, RunReport, ServiceReport
from rowlift.state.triggers import Trigger


@dataclass(frozen=True, slots=True)
class ServiceDesk:
    """The way to the process that serves a project, through the state they share.

    `by` says who asks, for the log; without it the user of this process.
    """

    home: Home

    def status(self) -> ServiceReport | None:
        """Return the process that serves the project, or did last; None if there never was one."""
        return _status(self.home)

    def trigger(
        self, syncs: Sequence[str], *, by: str = "", allow_removals: bool = False
    ) -> list[RequestReport]:
        """Ask the service to run syncs next, each as soon as no other run is active.

        Raises RowliftError SERVICE_DOWN while none runs, and GuardStop PAUSED and APPROVAL_NEEDED.
        """
        if allow_removals:
            refuse_alone(self.home, LIFTING)
        uids = [self.home.syncs[name] for name in chosen(self.home, syncs)]
        for uid in uids:
            _refuse_idle(self.home, uid)
        return [ask(self.home, uid, by, allow_removals=allow_removals) for uid in uids]

    def retry(self, run_id: int, *, by: str = "") -> RetryRequest:
        """Ask the service to try again what a run left, each row in its newest version.

        Raises what `trigger` does, StateError NOT_FOUND, ConfigError where the sync is gone, and
        GuardStop KEY_CHANGED.
        """
        run = self.home.run(run_id)
        _refuse_idle(self.home, run.sync_uid)
        again = operations.retrying.opening_again(self.home, run)
        operations.retrying.send_again(self.home, run)
        name = sync_names(self.home).get(run.sync_uid, run.sync_uid)
        asked = ask(self.home, run.sync_uid, by, retry_of=run_id) if again else None
        return RetryRequest(run_id, name, asked, report_deliveries(self.home, run))

    def requests(self, limit: int = 20, *, before: int | None = None) -> list[RequestReport]:
        """Return the newest requests first, from the one before an id."""
        found = self.home.store.triggers.latest(self.home.workspace_id, limit, before)
        return [_report(self.home, one) for one in found]

    def cancel(self, run_id: int, *, by: str = "") -> RunReport:
        """Ask for the end of a run and of its deliveries, whichever process carries them.

        It ends within seconds and is recorded as Cancelled; what is due stays due. Raises
        StateError NOT_FOUND, and GuardStop RUN_OVER.
        """
        run = operations.cancelling.cancel(self.home, run_id, by or _somebody())
        return report_run(self.home, run)


def ask(
    home: Home,
    uid: str,
    by: str,
    *,
    allow_removals: bool = False,
    plan: str = "",
    retry_of: int = 0,
    though_paused: bool = False,
) -> RequestReport:
    """Ask the service for a run of a sync; raises RowliftError SERVICE_DOWN, GuardStop PAUSED."""
    _refuse_down(home)
    if not though_paused:
        refuse_paused(home, uid)
    asked = home.store.triggers.ask(
        home.workspace_id, uid, by or _somebody(),
        allow_removals=allow_removals, plan=plan, retry_of=retry_of,
    )  # fmt: skip
    return _report(home, asked)


def _refuse_idle(home: Home, uid: str) -> None:
    """Refuse where nobody would begin a run."""
    _refuse_down(home)
    refuse_paused(home, uid)


def _refuse_down(home: Home) -> None:
    status = _status(home)
    if status is None or not status.is_alive:
        text = "No service runs here, so nobody would begin the run."
        raise RowliftError("SERVICE_DOWN", text, mend="Start it: rowlift serve. Or: rowlift run")


def _status(home: Home) -> ServiceReport | None:
    found = home.store.services.last(home.workspace_id)
    if found is None:
        return None
    return ServiceReport(
        found.place, found.started_at, found.beat_at, found.is_alive, home.unread
    )  # fmt: skip


def _report(home: Home, one: Trigger) -> RequestReport:
    name = sync_names(home).get(one.sync_uid, one.sync_uid)
    run = home.store.runs.find(one.run_id) if one.run_id else None
    return RequestReport(
        one.id, name, one.asked_by, one.asked_at, is_waiting=bool(one.open), run=one.run_id,
        status=run.status if run else None, reason_code=one.reason_code, reason=one.reason,
        plan=one.plan, retry_of=one.retry_of or None,
    )  # fmt: skip


def _somebody() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
