"""What one may look at while Rowlift works: the requests that it sends, figures, what is ready."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rowlift.core.errors import ConfigError, RowliftError
from rowlift.core.spelling import did_you_mean
from rowlift.db import LEASE_SECONDS
from rowlift.kit.masks import without_path, without_values
from rowlift.operations.home import Home, sync_names
from rowlift.operations.metering import Figures, figures
from rowlift.operations.writing_back import WriteBackReport, write_back
from rowlift.project.problems import shown
from rowlift.state.exchanges import KEPT, KEPT_SECONDS, Exchange


@dataclass(frozen=True, slots=True)
class ExchangeReport:
    """A request to a destination and its reply, without secrets; `at` is in Unix seconds.

    Where events went, `sync` is their forward. Bodies are cut after 4,000 characters; `body_bytes`
    is the size of what was sent. Where there was no reply, `status` is null and `reply` says why.
    """

    id: int
    sync: str
    at: float
    seconds: float
    method: str
    url: str
    headers: Mapping[str, str]
    body: str
    body_bytes: int
    status: int | None
    reply_headers: Mapping[str, str]
    reply: str


@dataclass(frozen=True, slots=True)
class RunRequests:
    """What a run sent to one destination, as far as it is kept, the oldest first."""

    destination: str
    requests: Sequence[ExchangeReport]


@dataclass(frozen=True, slots=True)
class Watch:
    """The way to see what Rowlift does at this moment, through the state."""

    home: Home

    def requests(
        self, destination: str, limit: int = KEPT, *, after: int = 0, values: bool = True,
        whole: bool = True,
    ) -> list[ExchangeReport]:  # fmt: skip
        """Return the last requests to a destination, the oldest first, from the one after an id.

        Some of each second are kept, for a day. Without `values` bodies show only the names of
        members; what is less than `whole` has no paths of addresses. Raises ConfigError
        NAME_UNKNOWN.
        """
        uid = self._uid(destination)
        forwards = self.home.store.definitions.names(self.home.workspace_id, "forward")
        names = {**sync_names(self.home), **forwards}
        since = time.time() - KEPT_SECONDS
        found = self.home.store.exchanges.after(uid, after, since)[-limit:]
        return [report_exchange(one, names, values=values, whole=whole) for one in found]

    def of_run(self, run_id: int, *, values: bool = True, whole: bool = True) -> list[RunRequests]:
        """Return the requests of a run's deliveries, by destination; as `requests` has them.

        Raises StateError NOT_FOUND.
        """
        run, store = self.home.run(run_id), self.home.store
        called = store.definitions.names(self.home.workspace_id, "destination")
        names = sync_names(self.home)
        found: dict[str, list[ExchangeReport]] = {}
        for one in store.deliveries.of_run(run.id):
            sent = store.exchanges.after(one.destination_uid, 0, one.created_at)
            until = one.finished_at or time.time()
            mine = [each for each in sent if each.sync_uid == run.sync_uid and each.at <= until]
            reports = [report_exchange(each, names, values=values, whole=whole) for each in mine]
            found.setdefault(called.get(one.destination_uid, ""), []).extend(reports)
        return [RunRequests(name, each) for name, each in found.items() if each]

    def figures(self) -> Figures:
        """Return runs, rows, queues and heartbeats in numbers."""
        return figures(self.home)

    def write_back(self) -> WriteBackReport:
        """Write the logs of runs that are over to the warehouse that the environment names."""
        return write_back(self.home)

    def ready(self) -> None:
        """Raise RowliftError where the service does not do its work, with what mends it.

        STATE_… where the state cannot be reached or its disk is full, SERVICE_DOWN where nobody
        runs the schedules.
        """
        self.home.store.files.require_room()
        service = self.home.store.services.last(self.home.workspace_id)
        if service is None or not service.is_alive or service.silence > LEASE_SECONDS:
            text = "Nothing is heard of a service that runs the schedules."
            raise RowliftError("SERVICE_DOWN", text, mend="Start it: rowlift serve")

    def _uid(self, destination: str) -> str:
        known = self.home.destinations
        if destination not in known:
            text = (
                f"There is no destination {shown(destination)}.{did_you_mean(destination, known)}"
            )
            mend = f"Known destinations: {', '.join(sorted(known)) or 'none'}."
            raise ConfigError("NAME_UNKNOWN", text, mend=mend)
        return known[destination]


def report_exchange(
    one: Exchange, names: Mapping[str, str], *, values: bool, whole: bool
) -> ExchangeReport:
    """Return a request and its reply as they may be shown to somebody."""
    told = {name: value for name, value in asdict(one).items() if name != "sync_uid"}
    if not values:
        told["body"] = without_values(one.body)
        told["reply"] = without_values(one.reply) if one.status else one.reply
    if not whole:
        told["url"] = without_path(one.url)
    return ExchangeReport(sync=names.get(one.sync_uid, one.sync_uid), **told)
