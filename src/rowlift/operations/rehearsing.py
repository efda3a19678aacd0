"""Send a destination a test message: one made-up person, by the client that deliveries go through.

Neither images nor ledgers know of it. It is sent once, whatever the answer.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from rowlift.core.clock import Clock
from rowlift.core.errors import Busy, DestinationError, GuardStop, StateError
from rowlift.core.nouns import Op, Outcome, Verdict
from rowlift.core.ports import Batch, Destination
from rowlift.core.rules import rule
from rowlift.engine.delivery import timestamp_of
from rowlift.engine.rehearse import Rehearsal, rehearsal, rehearsed
from rowlift.operations.defining import find
from rowlift.operations.home import KEEP_REQUESTS, Home, open_destination
from rowlift.operations.recording import Witness
from rowlift.operations.watching import ExchangeReport, report_exchange
from rowlift.registry import destination_kind
from rowlift.state.exchanges import Exchange
from rowlift.workspace.suppression import identifier, names_any

LONGEST_WAIT = 10.0  # seconds for a turn in the account's budget

_KINDS = {"user_id": "id", "email": "email", "anonymous_id": "anonymous_id"}


@dataclass(frozen=True, slots=True)
class SampleMessage:
    """What a test message would be: whom it is about, and the record as it is encoded."""

    destination: str
    key: str
    op: Op
    record: str


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A test message, what became of it, and its request and reply without secrets.

    `at` is in Unix seconds. A destination that speaks no HTTP has no requests.
    """

    message: SampleMessage
    at: float
    verdict: Verdict
    code: str
    reason: str
    mend: str
    requests: Sequence[ExchangeReport]


def sample_message(home: Home, clock: Clock, name: str) -> SampleMessage:
    """Return what a test message would be; raises ConfigError and GuardStop TEST_NOT_HARMLESS."""
    one = _rehearsal(home, name)
    destination = _opened(home, name, one, Witness(one.feed.sync_uid))
    try:
        return _told(name, one, rehearsed(destination, one, _now(clock)))
    finally:
        destination.close()


def send_message(
    home: Home, clock: Clock, name: str, *, discreet: bool, values: bool
) -> SentMessage:
    """Send a test message at once; raises what `sample_message` does, PERSON_SUPPRESSED and Busy.

    With `discreet` whatever keeps a server from us reads the same; without `values` bodies show
    the names of members only.
    """
    one = _rehearsal(home, name)
    _refuse_suppressed(home, one)
    witness = Witness(one.feed.sync_uid)
    destination = _opened(home, name, one, witness)
    at = clock.now().timestamp()
    try:
        batch = rehearsed(destination, one, _now(clock))
        _wait(home, clock, destination)
        outcome, mend = _delivered(destination, batch)
    finally:
        destination.close()
    seen = [_discreet(each) for each in witness.seen] if discreet else witness.seen
    _keep(home, name, seen)
    if discreet and outcome.code == "UNREACHABLE":
        outcome = replace(outcome, reason=f"{rule(outcome.code).title}.")
    requests = [report_exchange(each, {}, values=values, whole=True) for each in seen]
    told = _told(name, one, batch)
    return SentMessage(told, at, outcome.verdict, outcome.code, outcome.reason, mend, requests)


def _rehearsal(home: Home, name: str) -> Rehearsal:
    find(home, "destination", name)
    if ("destination", name) in home.broken:
        raise home.broken["destination", name]
    kind = home.project.destinations[name].type
    one = rehearsal(destination_kind(kind).accepts)
    if one is None:
        known = rule("TEST_NOT_HARMLESS")
        text = f"{name} is of type {kind}, which cannot forget what it was sent: it counts and "
        raise GuardStop(known.code, text + "passes on whoever is named.", mend=known.mend)
    return one


def _refuse_suppressed(home: Home, one: Rehearsal) -> None:
    """What a made-up person is called may have been suppressed, too."""
    named = identifier(_KINDS[one.feed.match], one.key)
    with home.store.database.read() as connection:
        is_suppressed = names_any(connection, home.workspace_id, [named])
    if is_suppressed:
        text = f"{one.key} is suppressed, so nothing is sent about them, not even a test."
        mend = f"Process them again: rowlift suppress --undo {named}."
        raise GuardStop("PERSON_SUPPRESSED", text, mend=mend)


def _opened(home: Home, name: str, one: Rehearsal, witness: Witness) -> Destination:
    connection = home.project.destinations[name]
    return open_destination(home.project.root, connection, one.feed, home.env, witness)


def _wait(home: Home, clock: Clock, destination: Destination) -> None:
    """Wait for a turn in the account's budget, as deliveries do."""
    rate = destination.limits.requests_per_second
    seconds = home.store.deliveries.reserve(destination.account, 1, rate) if rate else 0.0
    if seconds > LONGEST_WAIT:
        text = f"Deliveries have booked this account's requests for the next {seconds:.0f} s."
        raise Busy("BUSY", text, mend="Send the test when they are over.")
    if seconds > 0:
        clock.sleep(seconds)


def _delivered(destination: Destination, batch: Batch) -> tuple[Outcome, str]:
    """Return what became of the message, and how to mend it if it stopped everything."""
    try:
        outcomes = destination.deliver(batch)
    except DestinationError as error:
        return Outcome(Verdict.REFUSED, error.code, error.message), error.mend
    return outcomes.rows.get(0, outcomes.default), ""


def _keep(home: Home, name: str, seen: Sequence[Exchange]) -> None:
    """Keep what was seen beside the requests of deliveries, as far as they are kept."""
    if seen and home.env.get(KEEP_REQUESTS) != "no":
        with suppress(StateError):
            home.store.exchanges.keep(home.workspace_id, home.destinations[name], seen)


def _discreet(one: Exchange) -> Exchange:
    known = rule("UNREACHABLE")
    return one if one.status is not None else replace(one, reply=f"{known.title}.")


def _told(name: str, one: Rehearsal, batch: Batch) -> SampleMessage:
    return SampleMessage(name, one.key, one.op, batch.messages[0].as_py())


def _now(clock: Clock) -> str:
    return timestamp_of(clock.now().timestamp())
