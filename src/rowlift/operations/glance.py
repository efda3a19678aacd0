"""How everything stands at one glance: what is wrong, what comes next, what was moved lately."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rowlift.core.clock import Clock
from rowlift.core.version import VERSION
from rowlift.operations.alerting import AlertReport, Alerts, ChannelReport
from rowlift.operations.hindsight import RunChanges, RunFacts, changes, facts
from rowlift.operations.home import Home
from rowlift.operations.reasons import Reason, reasons
from rowlift.operations.reporting import report_runs, report_syncs
from rowlift.operations.reports import RunReport, ServiceReport, SyncReport
from rowlift.operations.servicing import ServiceDesk
from rowlift.state.history import Day, days_since, recent

BARS = 20  # the newest runs of each sync that are told
DAYS = 14
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class About:
    """Which workspace this is, what serves it, and how much is declared in it."""

    workspace: str
    version: str
    service: ServiceReport | None
    syncs: int
    sources: int
    destinations: int


@dataclass(frozen=True, slots=True)
class SyncLine:
    """One sync with its newest runs, the oldest of them first."""

    sync: SyncReport
    recent: Sequence[RunReport]


@dataclass(frozen=True, slots=True)
class Overview:
    """How everything stands; `days` are the last ones in UTC, today at the end.

    `deaf` are the channels that do not take what they are told.
    """

    service: ServiceReport | None
    syncs: Sequence[SyncLine]
    wrong: Sequence[AlertReport]
    deaf: Sequence[ChannelReport]
    active: RunReport | None
    days: Sequence[Day]


@dataclass(frozen=True, slots=True)
class Glance:
    """Short answers about everything at once."""

    home: Home
    clock: Clock

    def about(self) -> About:
        """Return which workspace this is, what serves it, and how much is declared in it."""
        spec = self.home.project
        return About(
            spec.workspace.name, VERSION, ServiceDesk(self.home).status(),
            len(spec.syncs), len(spec.sources), len(spec.destinations),
        )  # fmt: skip

    def overview(self) -> Overview:
        """Return what is wrong, what goes on, the last days, and every sync with newest runs."""
        home = self.home
        active = home.store.runs.active(home.workspace_id)
        alerts = Alerts(home, self.clock)
        return Overview(
            ServiceDesk(home).status(),
            self._lines(),
            alerts.wrong(),
            [one for one in alerts.channels() if one.failing],
            report_runs(home, [active])[0] if active else None,
            _days(home, int(self.clock.now().timestamp())),
        )

    def reasons(self, run_id: int, *, values: bool = True) -> list[Reason]:
        """Return why rows of a run did not go, by code; with `values` some rows of each.

        Raises StateError NOT_FOUND.
        """
        return reasons(self.home, self.home.run(run_id), values=values)

    def facts(self, run_id: int) -> RunFacts:
        """Return what a run was to do, and whether last_sync_time moved; raises StateError."""
        return facts(self.home.run(run_id))

    def changes(self, run_id: int, *, whole: bool = True) -> RunChanges:
        """Return what changed since the last good run of the sync; raises StateError NOT_FOUND.

        What is less than `whole` leaves out the paths of addresses.
        """
        return changes(self.home, self.home.run(run_id), whole=whole)

    def _lines(self) -> Sequence[SyncLine]:
        by_sync = _recent(self.home)
        each = report_syncs(self.home, self.clock)
        return [SyncLine(one, by_sync.get(one.name, ())) for one in each]


def _recent(home: Home) -> Mapping[str, Sequence[RunReport]]:
    found = recent(home.store.database, list(home.syncs.values()), BARS)
    by_sync = defaultdict[str, list[RunReport]](list)
    for one in report_runs(home, found):
        by_sync[one.sync].append(one)
    return by_sync


def _days(home: Home, now: int) -> Sequence[Day]:
    """Return each of the last days, also those without a run."""
    today = now - now % _DAY_SECONDS
    first = today - (DAYS - 1) * _DAY_SECONDS
    known = {one.at: one for one in days_since(home.store.database, home.workspace_id, first)}
    each = range(first, today + 1, _DAY_SECONDS)
    return [known.get(at, Day(at)) for at in each]
