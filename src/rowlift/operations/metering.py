"""Figures for those who watch over the service, told from the state by every process alike."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from rowlift.core.version import VERSION
from rowlift.operations.gauging import Sample, gauges, lag
from rowlift.operations.home import Home
from rowlift.state import tallies
from rowlift.state.queues import Queues, queues
from rowlift.state.tallies import Tally
from rowlift.workspace.tracking import count_after


@dataclass(frozen=True, slots=True)
class Metric:
    """What a figure is; `labels` are all that tell its samples apart."""

    kind: Literal["counter", "gauge", "histogram"]
    about: str
    labels: tuple[str, ...] = ()


# What is declared, by name, statuses and outcomes: no other label grows with what is moved.
METRICS: Mapping[str, Metric] = {
    "rowlift_build_info": Metric("gauge", "Always 1.", ("version",)),
    "rowlift_runs_total": Metric("counter", "Runs that are over.", ("sync", "status")),
    "rowlift_run_duration_seconds": Metric("histogram", "How long runs took.", ("sync",)),
    "rowlift_rows_total": Metric(
        "counter", "Rows of queries, by what a run made of them.", ("sync", "outcome")
    ),
    "rowlift_workspace_rows_total": Metric(
        "counter", "Rows that were due in the workspace.", ("sync", "outcome")
    ),
    "rowlift_deliveries_total": Metric(
        "counter", "Deliveries that began and are over.", ("sync", "destination", "status")
    ),
    "rowlift_delivered_rows_total": Metric(
        "counter",
        "Rows that were due at a destination and no longer are.",
        ("sync", "destination", "outcome"),
    ),
    "rowlift_sync_lag_seconds": Metric(
        "gauge",
        "Time since the last run of a sync that completed without a failed row, or since it was "
        "made.",
        ("sync",),
    ),
    "rowlift_sync_data_age_seconds": Metric(
        "gauge",
        "Age of the newest result that is wholly there, the workspace or a destination.",
        ("sync", "target"),
    ),
    "rowlift_sync_late": Metric(
        "gauge",
        "1 where that, or an attribute of it, is older than was promised.",
        ("sync", "target"),
    ),
    "rowlift_sync_paused": Metric("gauge", "1 where a sync is paused.", ("sync",)),
    "rowlift_circuit_open": Metric(
        "gauge", "1 where the last delivery gave up a destination.", ("sync", "destination")
    ),
    "rowlift_delivery_failing": Metric(
        "gauge", "1 where the last delivery failed.", ("sync", "destination")
    ),
    "rowlift_rows_left": Metric(
        "gauge",
        "Rows that the last delivery did not bring to a destination.",
        ("sync", "destination", "outcome"),
    ),
    "rowlift_deliveries_open": Metric(
        "gauge", "Deliveries that wait or are under way.", ("destination", "status")
    ),
    "rowlift_runs_active": Metric("gauge", "Runs that are under way: 0 or 1."),
    "rowlift_requests_waiting": Metric("gauge", "Runs that somebody asked for and that wait."),
    "rowlift_slots_waiting": Metric("gauge", "Slots of schedules that came and wait."),
    "rowlift_service_heartbeat_age_seconds": Metric(
        "gauge", "Time since a service that runs the schedules was last heard of."
    ),
    "rowlift_message_requests_total": Metric(
        "counter", "Requests of SDKs that were accepted and are written."
    ),
    "rowlift_message_requests_waiting": Metric(
        "gauge", "Requests of SDKs that were accepted and are not written yet."
    ),
    "rowlift_message_requests_refused_total": Metric(
        "counter", "Requests of SDKs that this process refused since it began.", ("code",)
    ),
    "rowlift_alerts": Metric("gauge", "What is wrong with a sync.", ("sync", "rule")),
    "rowlift_channel_failing": Metric(
        "gauge", "1 where a channel did not take its last message, or is left out.", ("channel",)
    ),
    "rowlift_channel_notices_waiting": Metric(
        "gauge", "What a channel is still to be told.", ("channel",)
    ),
    "rowlift_definitions_left_out": Metric(
        "gauge", "Definitions that are wrong as they are, so nothing of them is done.", ("kind",)
    ),
    "rowlift_files_refused": Metric(
        "gauge", "1 where the files are wrong and those of before are in force."
    ),
    "rowlift_write_back_failing": Metric(
        "gauge", "1 where the logs of runs could not be written to the warehouse that is named."
    ),
    "rowlift_audience_people": Metric("gauge", "People who are in an audience.", ("audience",)),
    "rowlift_audience_age_seconds": Metric(
        "gauge", "Time since the people of an audience were last looked for.", ("audience",)
    ),
    "rowlift_audience_due": Metric(
        "gauge", "1 where the people of an audience may be others by now.", ("audience",)
    ),
    "rowlift_audience_late": Metric(
        "gauge", "1 where the people of an audience were looked for too long ago.", ("audience",)
    ),
    "rowlift_audience_failing": Metric(
        "gauge", "1 where an audience could not be computed.", ("audience",)
    ),
    "rowlift_messages_total": Metric(
        "counter", "Messages of SDKs that were accepted, by outcome.", ("outcome",)
    ),
    "rowlift_forwarded_events_total": Metric(
        "counter", "Events that a forward has done with.", ("forward", "outcome")
    ),
    "rowlift_forward_events_waiting": Metric(
        "gauge", "Events that a forward has not looked at yet.", ("forward",)
    ),
}

_COUNTED: Mapping[str, str] = {
    tallies.RUNS: "rowlift_runs_total",
    tallies.ROWS: "rowlift_rows_total",
    tallies.WORKSPACE_ROWS: "rowlift_workspace_rows_total",
    tallies.DELIVERIES: "rowlift_deliveries_total",
    tallies.DELIVERED_ROWS: "rowlift_delivered_rows_total",
    tallies.CIRCUIT_OPEN: "rowlift_circuit_open",
    tallies.FAILING: "rowlift_delivery_failing",
    tallies.ROWS_LEFT: "rowlift_rows_left",
}

_FLAGS = frozenset({"rowlift_circuit_open", "rowlift_delivery_failing"})


@dataclass(frozen=True, slots=True)
class Histogram:
    """Durations of one sync's runs: how many of each bucket, all below the next one's bound."""

    labels: tuple[str, ...]
    buckets: Sequence[tuple[str, float]]
    seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Values by metric and labels; durations apart."""

    values: Mapping[tuple[str, tuple[str, ...]], float]
    durations: Sequence[Histogram]


def figures(home: Home) -> Figures:
    """Return the figures of this moment; what is not declared any more is left out."""
    told = home.store.tallies.all(home.workspace_id)
    waits = queues(home.store.database, home.workspace_id)
    values: defaultdict[tuple[str, tuple[str, ...]], float] = defaultdict(float)
    values["rowlift_build_info", (VERSION,)] = 1
    for name, labels, value in chain(
        _counted(home, told), _lags(home, told, waits.now), _waiting(home, waits),
        gauges(home, waits.now), _forwarded(home),
    ):  # fmt: skip
        own = values[name, labels]  # the parts of a sync are one to who looks on
        values[name, labels] = max(own, value) if name in _FLAGS else own + value
    return Figures(values, list(_durations(home, told)))


def _counted(home: Home, told: Sequence[Tally]) -> Iterator[Sample]:
    syncs, targets = _names(home.syncs), _names(home.destinations)
    uses = {(name, use.use) for name, one in home.project.syncs.items() for use in one.destinations}
    for one in told:
        sync, target = syncs.get(one.sync_uid.partition(".")[0]), targets.get(one.target)
        if one.subject in tallies.STANDING and (sync, target) not in uses:
            continue
        if one.subject == tallies.MESSAGES and one.label == "requests":
            yield "rowlift_message_requests_total", (), one.value
        elif one.subject == tallies.MESSAGES:
            yield "rowlift_messages_total", (one.label,), one.value
        elif one.subject in _COUNTED and sync and (target or not one.target):
            labels = tuple(label for label in (sync, target, one.label) if label)
            yield _COUNTED[one.subject], labels, one.value


def _lags(home: Home, told: Sequence[Tally], now: float) -> Iterator[Sample]:
    at = {one.sync_uid: one.value for one in told if one.subject == tallies.SUCCEEDED_AT}
    for name, uid in home.syncs.items():
        yield "rowlift_sync_lag_seconds", (name,), lag(home, uid, at.get(uid), now)


def _waiting(home: Home, waits: Queues) -> Iterator[Sample]:
    targets = _names(home.destinations)
    for (uid, status), count in waits.deliveries.items():
        if uid in targets:
            yield "rowlift_deliveries_open", (targets[uid], status), count
    yield "rowlift_runs_active", (), waits.runs
    yield "rowlift_requests_waiting", (), waits.requests
    yield "rowlift_slots_waiting", (), waits.slots
    yield "rowlift_message_requests_waiting", (), waits.messages
    if waits.beat_at is not None:
        age = max(0.0, waits.now - waits.beat_at)
        yield "rowlift_service_heartbeat_age_seconds", (), age


def _forwarded(home: Home) -> Iterator[Sample]:
    names = _names(home.forwards)
    for uid, one in home.store.forwards.of(home.workspace_id).items() if names else ():
        if uid in names:
            waiting = count_after(home.workspace, one.position)
            yield "rowlift_forward_events_waiting", (names[uid],), waiting
            for outcome in ("delivered", "rejected", "suppressed", "skipped"):
                value = getattr(one, outcome)
                yield "rowlift_forwarded_events_total", (names[uid], outcome), value


def _durations(home: Home, told: Sequence[Tally]) -> Iterator[Histogram]:
    for uid, sync in _names(home.syncs).items():
        own = [one for one in told if one.sync_uid == uid]
        took = {one.label: one.value for one in own if one.subject == tallies.TOOK}
        seconds = sum(one.value for one in own if one.subject == tallies.SECONDS)
        if took:
            bounds = (*map(str, tallies.BUCKETS), "+Inf")
            yield Histogram((sync,), [(bound, took.get(bound, 0)) for bound in bounds], seconds)


def _names(uids: Mapping[str, str]) -> dict[str, str]:
    return {uid: name for name, uid in uids.items()}
