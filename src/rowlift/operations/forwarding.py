"""Forward events to destinations: what is due, carrying it, and how far each forward is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import cast

from rowlift.core.clock import Clock
from rowlift.core.errors import ConfigError, Fenced, StateError
from rowlift.core.nouns import Feed, Kind, Status
from rowlift.core.ports import EventDestination
from rowlift.core.progress import Progress
from rowlift.core.specs import ForwardSpec
from rowlift.core.spelling import did_you_mean
from rowlift.engine.forwarding import ForwardRun
from rowlift.operations.home import Home
from rowlift.project.problems import shown
from rowlift.state.forwards import Forward, ForwardReject
from rowlift.workspace.tracking import count_after, last_before, newest, number_of


@dataclass(frozen=True, slots=True)
class ForwardReport:
    """How a forward stands; counts are those of events, `waiting` those nobody looked at yet.

    Of a forward that failed `next_at` tells when the service tries it again, in Unix seconds.
    """

    name: str
    destination: str
    status: Status
    waiting: int
    delivered: int
    rejected: int
    suppressed: int
    skipped: int
    reason_code: str = ""
    reason: str = ""
    next_at: float = 0.0


def begun(home: Home) -> dict[str, Forward]:
    """Return how far each declared forward is, by name; new ones begin."""
    if not home.forwards:
        return {}
    known = home.store.forwards.of(home.workspace_id)
    fresh = {name: uid for name, uid in home.forwards.items() if uid not in known}
    for name, uid in fresh.items():
        position = _first_position(home, home.project.forwards[name], uid)
        home.store.forwards.open(home.workspace_id, uid, position)
    if fresh:
        known = home.store.forwards.of(home.workspace_id)
    return {name: known[uid] for name, uid in home.forwards.items()}


def _first_position(home: Home, spec: ForwardSpec, uid: str) -> int:
    """A forward begins with what came after it was declared, whenever it is looked at first."""
    if spec.start == "beginning":
        return 0
    first = home.store.definitions.versions(uid)[-1]
    return last_before(home.workspace, first.created_at)


@dataclass(frozen=True, slots=True)
class Forwarder:
    """Carries forwards, for a service or on request."""

    home: Home
    _clock: Clock
    _progress: Progress

    def due(self) -> dict[str, Forward]:
        """Return the forwards that have something to look at and need not wait, by name.

        So has one that broke off before it came to rest. Those that rested longest come first.
        """
        found = begun(self.home)
        if not found:
            return {}
        with self.home.store.database.read() as connection:
            last = newest(connection, self.home.workspace_id)
        open_ = {
            name: one for name, one in found.items() if one.position < last or one.active
        }  # fmt: skip
        free = self.home.store.forwards.free(open_.values())
        in_turn = sorted(open_.items(), key=lambda each: each[1].next_at)
        return {name: one for name, one in in_turn if one.id in free}

    def carry(self, name: str, forward: Forward, cancelled: Callable[[], bool]) -> Forward | None:
        """Carry a forward until nothing is left; None where another process has it."""
        claimed = self.home.store.forwards.claim(forward)
        if claimed is None:
            return None
        spec = self.home.project.forwards[name]
        try:
            return ForwardRun(
                self.home.store, claimed, spec, partial(self._open, spec, forward.uid),
                self._clock, partial(self._progress.note, name), cancelled,
            ).carry()  # fmt: skip
        except Fenced:
            return None

    @contextmanager
    def _open(self, spec: ForwardSpec, uid: str) -> Iterator[EventDestination]:
        key = spec.match[0]
        feed = Feed(uid, spec.name, Kind.PERSON, key, key, of_events=True)
        with self.home.destination(spec.destination, feed) as destination:
            yield cast("EventDestination", destination)


@dataclass(frozen=True, slots=True)
class Forwarding:
    """The door to forwards: how they stand, what was refused, and forwarding on request."""

    home: Home
    _forwarder: Forwarder

    def list(self) -> Sequence[ForwardReport]:
        """Return how every forward stands, by name."""
        return [self._report(name, one) for name, one in sorted(begun(self.home).items())]

    def get(self, name: str) -> ForwardReport:
        """Return how a forward stands; raises ConfigError NAME_UNKNOWN."""
        return self._report(name, self._begun(name))

    def rejects(
        self, name: str, limit: int = 20, *, before: int | None = None
    ) -> Sequence[ForwardReject]:
        """Return the events that a destination did not take, the newest first."""
        return self.home.store.forwards.rejects(self._begun(name).uid, limit, before)

    def run(
        self, names: Sequence[str] = (), cancelled: Callable[[], bool] = lambda: False
    ) -> Sequence[ForwardReport]:
        """Forward what came so far, by all forwards or some, and return how they stand.

        One that another process carries is left to it. Raises ConfigError NAME_UNKNOWN.
        """
        chosen = {name: self._begun(name) for name in names or sorted(self.home.forwards)}
        for name, one in chosen.items():
            self._forwarder.carry(name, one, cancelled)
        return [self.get(name) for name in chosen]

    def rewind(
        self, name: str, *, since: datetime | None = None, message_id: str = ""
    ) -> ForwardReport:
        """Let a forward send again what came since a moment, or from the event of a message on.

        Events go under the message ids they came with. Raises ConfigError NAME_UNKNOWN and
        VALUE_WRONG, and StateError NOT_FOUND.
        """
        forward = self._begun(name)
        position = self._before(since, message_id)
        if position >= forward.position:
            text = f"The forward {name} has not come as far as that."
            raise ConfigError("VALUE_WRONG", text, mend="Name a moment or an event before it.")
        self.home.store.forwards.rewind(forward, position)
        return self.get(name)

    def _before(self, since: datetime | None, message_id: str) -> int:
        """Return the number of the last event before those that shall go again."""
        if (since is None) == (not message_id):
            text = "A forward is set back to a moment or to an event, one of both."
            raise ConfigError("VALUE_WRONG", text, mend="Say which.")
        if since is not None:
            return last_before(self.home.workspace, since.timestamp())
        number = number_of(self.home.workspace, message_id)
        if number is None:
            text = f"No event is kept of the message {shown(message_id)}."
            raise StateError("NOT_FOUND", text, mend="See rowlift messages events WHO.")
        return number - 1

    def _begun(self, name: str) -> Forward:
        if ("forward", name) in self.home.broken:
            raise self.home.broken["forward", name]
        if name not in self.home.forwards:
            known = ", ".join(sorted(self.home.forwards)) or "none"
            text = f"There is no forward {shown(name)}.{did_you_mean(name, self.home.forwards)}"
            raise ConfigError("NAME_UNKNOWN", text, mend=f"Known forwards: {known}.")
        return begun(self.home)[name]

    def _report(self, name: str, one: Forward) -> ForwardReport:
        return ForwardReport(
            name,
            self.home.project.forwards[name].destination,
            one.status,
            count_after(self.home.workspace, one.position),
            one.delivered,
            one.rejected,
            one.suppressed,
            one.skipped,
            one.reason_code,
            one.reason,
            one.next_at if one.status is Status.FAILED else 0.0,
        )
