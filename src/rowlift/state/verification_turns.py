"""One verification of a target at a time: who does it, how far it is, and whether it is to end.

A lock file tells whether it goes on, so a dead process holds nobody up; a note beside it tells how
far it is. The note is no promise: one that cannot be written or read is left out.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from rowlift.core.errors import Busy
from rowlift.core.rules import rule
from rowlift.kit.durable import make_folder, write_durable
from rowlift.state.locks import Locks
from rowlift.state.verifications import VERIFICATIONS

_TOLD_SECONDS = 0.5


class Stoppable(Protocol):
    """What can be stopped from another thread."""

    def cancel(self) -> None:
        """Stop it; does nothing where it ended before."""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A verification that goes on: by whom, since when in Unix seconds, and how far it is.

    Task and phase are those of its progress; rows are what the phase has read so far.
    """

    destination: str
    by: str
    began_at: float
    task: str = ""
    phase: str = ""
    rows: int = 0
    total: int | None = None


_NOTE = TypeAdapter(UnderWay)


class Turn:
    """Receives the progress of a verification, and writes down how far it is."""

    def __init__(self, path: Path, begun: UnderWay) -> None:
        self._path, self._now = path, begun
        self._told_at = 0.0

    def phase(self, task: str, phase: str, total: int | None = None) -> None:
        """Begin a phase."""
        self._now = replace(self._now, task=task, phase=phase, rows=0, total=total)
        self._tell()

    def advance(self, task: str, rows: int) -> None:
        """Add rows to what the phase has read."""
        self._now = replace(self._now, rows=self._now.rows + rows)
        if time.monotonic() - self._told_at >= _TOLD_SECONDS:
            self._tell()

    def note(self, task: str, text: str, detail: str = "") -> None: ...

    def _tell(self) -> None:
        self._told_at = time.monotonic()
        with suppress(OSError):
            write_durable(self._path, [json.dumps(asdict(self._now)).encode()])


class VerificationTurns:
    """The turns of a workspace's targets, one at a time of each."""

    def __init__(self, root: Path, workspace_id: int, locks: Locks) -> None:
        self._folder = root / VERIFICATIONS
        self._workspace_id, self._locks = workspace_id, locks

    @contextmanager
    def taken(self, target: str, begun: UnderWay) -> Iterator[Turn]:
        """Verify a target in a block; raises Busy VERIFYING while somebody else does."""
        name = self._name(target)
        while not self._locks.take(name):
            if not self._locks.is_abandoned(name):  # somebody only looked
                raise self._verifying(target, begun.destination)
        now, stop = self._path(target, "now"), self._path(target, "stop")
        try:
            make_folder(self._folder)
            stop.unlink(missing_ok=True)
            turn = Turn(now, begun)
            turn.phase("", "")
            yield turn
        finally:
            now.unlink(missing_ok=True)
            stop.unlink(missing_ok=True)
            self._locks.release(name)

    @contextmanager
    def heeded(self, target: str, work: Stoppable) -> Iterator[None]:
        """Stop the work of a block once somebody asks for its end."""
        done = Event()

        def look() -> None:
            while not done.wait(_TOLD_SECONDS):
                if self.is_to_end(target):
                    work.cancel()

        watch = Thread(target=look, name="verification", daemon=True)
        watch.start()
        try:
            yield
        finally:
            done.set()
            watch.join()

    def find(self, target: str) -> UnderWay | None:
        """Return the verification of a target that goes on, if one does."""
        name = self._name(target)
        if not self._locks.exists(name) or self._locks.is_abandoned(name):
            return None
        try:
            return _NOTE.validate_json(self._path(target, "now").read_bytes())
        except (OSError, ValidationError):
            return None  # it begins, or ends

    def is_to_end(self, target: str) -> bool:
        """Tell whether somebody asked for the end of what goes on."""
        return self._path(target, "stop").exists()

    def stop(self, target: str) -> UnderWay | None:
        """Ask for the end of what goes on; return it, if anything does."""
        found = self.find(target)
        if found:
            self._path(target, "stop").touch(mode=0o600)
        return found

    def _verifying(self, target: str, destination: str) -> Busy:
        found = self.find(target)
        by = f", by {found.by}" if found and found.by else ""
        text = f"{destination} is verified already{by}."
        return Busy("VERIFYING", text, mend=rule("VERIFYING").mend)

    def _name(self, target: str) -> str:
        return f"verification-{self._workspace_id}-{target}"

    def _path(self, target: str, ending: str) -> Path:
        return self._folder / f"{self._workspace_id}-{target}.{ending}"
