"""Verify destinations: read back what they hold, and say what differs from what was delivered."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rowlift.core.clock import Clock
from rowlift.core.errors import ConfigError
from rowlift.core.nouns import Finding
from rowlift.core.ports import ReadableDestination
from rowlift.core.progress import Progress, Several, Silent
from rowlift.core.rights import Right
from rowlift.core.spelling import did_you_mean
from rowlift.engine.parts import Part, parts
from rowlift.engine.verify import VERIFICATION
from rowlift.operations.callers import Caller
from rowlift.operations.home import Home
from rowlift.operations.repairing import Repair, Repairer
from rowlift.operations.verified import differences
from rowlift.operations.verifier import Hear, Verifier, not_readable, target_uid
from rowlift.project.problems import shown
from rowlift.registry import destination_kind
from rowlift.state.files import StoredFile
from rowlift.state.images import WORKSPACE
from rowlift.state.verification_turns import UnderWay, VerificationTurns
from rowlift.state.verifications import (
    Difference,
    Verification,
    VerificationFiles,
)


def _unheard(_: Finding) -> None: ...


@dataclass(frozen=True, slots=True)
class Verifications:
    """The door to verifications."""

    home: Home
    clock: Clock
    progress: Progress

    def verify(
        self,
        destination: str,
        sync: str | None = None,
        *,
        sample: int | None = None,
        by: str = "",
        hear: Hear = _unheard,
        progress: Progress | None = None,
    ) -> Verification:
        """Read back what a destination holds, or the `workspace`, and compare it.

        Of all syncs that deliver to it, or of one; everything, or a sample of the records of each.
        No run waits for it; `hear` is told of each sync as it ends, `progress` how far it is. What
        is cut off keeps nothing. Raises ConfigError NAME_UNKNOWN, GuardStop NOT_READABLE, Busy
        VERIFYING, SourceError QUERY_CANCELLED and DestinationError.
        """
        _require_readable(self.home, destination)
        chosen = _chosen(self.home, destination, sync)
        now, target = self.clock.now().timestamp(), target_uid(self.home, destination)
        with self._turns.taken(target, UnderWay(destination, by, now)) as turn:
            listeners = Several((self.progress, turn, progress or Silent()))
            verifier = Verifier(self.home, listeners, self._turns, destination, sample, f"{now}")
            found = verifier.verify(chosen, hear)
            done = Verification(destination, now, by, sync, sample, found)
            self._files.keep(target, done, now - self.home.project.retention.runs)
        return done

    def under_way(self, destination: str) -> UnderWay | None:
        """Return who verifies a destination now, and how far it is; raises as `verify`."""
        _require_readable(self.home, destination)
        return self._turns.find(target_uid(self.home, destination))

    def cancel(self, destination: str) -> UnderWay | None:
        """Ask the verification that goes on to end; it does within seconds, and keeps nothing.

        Return it, if there is any. Raises as `verify`.
        """
        _require_readable(self.home, destination)
        return self._turns.stop(target_uid(self.home, destination))

    def list(self, destination: str) -> list[Verification]:
        """Return the last verifications without samples, the newest first; raises as `verify`."""
        _require_readable(self.home, destination)
        return self._files.load(target_uid(self.home, destination))

    def differences(self, destination: str, sync: str | None = None) -> Iterator[Difference]:
        """Yield what the last verification found, of all syncs or of one; raises as `verify`."""
        _require_readable(self.home, destination)
        chosen = _chosen(self.home, destination, sync)
        return (
            one
            for part in chosen
            for stored in _stored(self.home, part, destination)
            for one in differences(self.home, part, stored.path)
        )

    def repair(self, destination: str, sync: str | None = None, *, orphans: bool = False) -> Repair:
        """Make due again what the last verification found: drifted and missing records.

        Nothing is sent: plans show it and runs send it, under all guards. With `orphans` also what
        was taken back and is there again; what this sync never delivered is never touched. Raises
        Busy while a run or a delivery there goes on, and what `verify` does.
        """
        _require_readable(self.home, destination)
        chosen = _chosen(self.home, destination, sync)
        repairer = Repairer(self.home, target_uid(self.home, destination), orphans)
        done = [
            repairer.repair(part, stored)
            for part in chosen
            for stored in _stored(self.home, part, destination)
        ]
        return Repair(destination, done)

    @property
    def _files(self) -> VerificationFiles:
        return VerificationFiles(self.home.store.files.root, self.home.workspace_id)

    @property
    def _turns(self) -> VerificationTurns:
        files = self.home.store.files
        return VerificationTurns(files.root, self.home.workspace_id, files.locks)


def seen(found: Verification, caller: Caller) -> Verification:
    """Return what was found as a caller may see it: without samples where values are not theirs."""
    if Right.VALUES in caller.rights:
        return found
    return replace(found, syncs=[replace(one, samples=()) for one in found.syncs])


def _require_readable(home: Home, destination: str) -> None:
    """Refuse what is not there, and what takes changes and tells nothing."""
    if destination == WORKSPACE:
        return
    if ("destination", destination) in home.broken:
        raise home.broken["destination", destination]
    if destination not in home.project.destinations:
        known = ", ".join([*sorted(home.project.destinations), WORKSPACE])
        hint = did_you_mean(destination, home.project.destinations)
        text = f"There is no destination {shown(destination)}.{hint}"
        raise ConfigError("NAME_UNKNOWN", text, mend=f"Known: {known}.")
    if not is_readable(home.project.destinations[destination].type):
        raise not_readable(destination)


def is_readable(kind: str) -> bool:
    """Tell whether destinations of a type say what they hold."""
    return issubclass(destination_kind(kind), ReadableDestination)


def _chosen(home: Home, destination: str, sync: str | None) -> list[Part]:
    """Return the parts of syncs that go to a destination; raises ConfigError NAME_UNKNOWN."""
    specs = [home.sync(sync)] if sync is not None else list(home.project.syncs.values())
    found = [
        part
        for spec in specs
        for part in parts(spec, home.syncs[spec.name])
        if (spec.workspace if destination == WORKSPACE else _takes(home, part, destination))
    ]
    if sync is not None and not found:
        text = f"{sync} does not write to {destination}."
        raise ConfigError("NAME_UNKNOWN", text, mend=f"See rowlift ls {sync}.")
    return found


def _takes(home: Home, part: Part, destination: str) -> bool:
    if destination not in {use.use for use in part.spec.destinations}:
        return False
    return not part.name or destination in home.relate(home.project.syncs[part.spec.name])


def _stored(home: Home, part: Part, destination: str) -> Sequence[StoredFile]:
    return home.store.files.live([VERIFICATION], part.uid, target_uid(home, destination))
