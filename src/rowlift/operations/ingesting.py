"""Take in messages of people, and write them into the workspace."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rowlift.core.clock import Clock
from rowlift.core.errors import Busy, ConfigError, Fenced, StateError, unexpected
from rowlift.core.progress import Progress
from rowlift.engine.ingest import Written, refuse_chunk, write_chunk
from rowlift.operations.forwarding import Forwarder, Forwarding
from rowlift.operations.home import Home
from rowlift.operations.records import find_person, unknown
from rowlift.project.problems import shown
from rowlift.state.intake import Accepted, Chunk, MessageReject
from rowlift.state.keys import WriteKey
from rowlift.workspace.tracking import Event, events_of

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class NewWriteKey:
    """A key that was just made: its secret is told this once."""

    name: str
    secret: str


@dataclass(frozen=True, slots=True)
class Ingest:
    """The ingest API without HTTP: keys, requests, messages, and what became of them."""

    home: Home
    _clock: Clock
    _progress: Progress

    @property
    def forwards(self) -> Forwarding:
        """Return the door to what goes on to destinations."""
        return Forwarding(self.home, Forwarder(self.home, self._clock, self._progress))

    def create_key(self, name: str) -> NewWriteKey:
        """Make a write key; raises ConfigError where the name is no name, or taken."""
        if not (0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip()):
            mend = f"Use up to {LONGEST_NAME} printable characters."
            raise ConfigError("VALUE_WRONG", f"{shown(name)} cannot name a key.", mend=mend)
        made = self.home.store.write_keys.create(self.home.workspace_id, name)
        if made is None:
            mend = f"Take another name, or revoke it first: rowlift keys revoke {name!r}"
            raise ConfigError("NAME_TWICE", f"There is a key {shown(name)}.", mend=mend)
        _, secret = made
        return NewWriteKey(name, secret)

    def keys(self) -> list[WriteKey]:
        """Return the keys that are accepted, without their secrets."""
        return self.home.store.write_keys.live(self.home.workspace_id)

    def revoke_key(self, name: str) -> None:
        """Accept a key no more; raises ConfigError NAME_UNKNOWN."""
        if not self.home.store.write_keys.revoke(self.home.workspace_id, name):
            known = ", ".join(one.name for one in self.keys()) or "none"
            text = f"There is no key {shown(name)}."
            raise ConfigError("NAME_UNKNOWN", text, mend=f"Known keys: {known}.")

    def workspaces(self) -> Mapping[str, int]:
        """Return the workspace of each key that is accepted, by the key's hash."""
        return self.home.store.write_keys.workspaces()

    def accept(self, requests: Sequence[Accepted]) -> None:
        """Make requests durable; they are written later."""
        self.home.store.intake.accept(requests)

    def waiting_bytes(self) -> int:
        """Return the size of the requests that were not written yet."""
        return self.home.store.intake.waiting_bytes()

    def write_some(self) -> Written | None:
        """Write the oldest requests; None where none waits or they cannot be written now.

        They wait while a run writes to the workspace, and where another process has them.
        """
        home = self.home
        chunk = home.store.intake.chunk(home.workspace_id)
        if chunk is None:
            return None
        try:
            return _write(home, chunk)
        except (Busy, Fenced):
            return None

    def rejects(self, limit: int = 20, *, before: int | None = None) -> list[MessageReject]:
        """Return messages that could not be written, the newest first, from one before a number."""
        return self.home.store.intake.rejects(self.home.workspace_id, limit, before)

    def events(
        self, who: str, limit: int = 20, *, before: tuple[float, int] | None = None
    ) -> list[Event]:
        """Return what a person did, the newest first, from the one before a moment and number.

        Raises StateError NOT_FOUND.
        """
        person = find_person(self.home, who)
        if person is None:
            raise unknown(who)
        return events_of(self.home.workspace, person.record.pid, limit, before)


def write_waiting(home: Home) -> None:
    """Write all that was accepted so far; raises Busy while a run writes to the workspace."""
    intake = home.store.intake
    newest = intake.newest(home.workspace_id)
    while (chunk := intake.chunk(home.workspace_id)) and chunk.first <= newest:
        with suppress(Fenced):
            _write(home, chunk)


def _write(home: Home, chunk: Chunk) -> Written:
    """Write a chunk; where a fault of ours comes to light, all but the request that brings it out.

    This is the boundary where it is caught: or else one request would stop all that come after it.
    """
    try:
        return write_chunk(home.store, home.workspace, chunk)
    except (StateError, Busy):
        raise
    except Exception as error:  # noqa: BLE001
        if len(chunk.requests) == 1:
            return refuse_chunk(home.store, chunk, unexpected(error))
    first, second = (_write(home, half) for half in chunk.halves())
    return first + second
