"""Forget what is older than the project's retention; what is due or in doubt is never touched."""

import time
from collections import Counter
from dataclasses import dataclass
from threading import Event

from rowlift import operations
from rowlift.operations.home import Home
from rowlift.state.audit import AuditLog
from rowlift.state.prune import prune_exchanges, prune_intake, prune_state
from rowlift.state.shelf import Shelf
from rowlift.workspace.prune import LARGEST, prune_workspace

_BETWEEN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class PruneReport:
    """How much was forgotten; `lines` of the audit log, `files` that nothing counted any more."""

    runs: int
    deliveries: int
    batches: int
    events: int
    lines: int
    files: int


def tidy(home: Home) -> None:
    """Forget some of what is old, in bounded time: the rest goes with the next runs."""
    _forget_some(home)
    Shelf(home.store.folder, home.workspace_id).expire()
    home.store.collect(home.project.retention)


def prune(home: Home, stopped: Event | None = None) -> PruneReport:
    """Forget all that is old, or some until the event is set.

    With an event others get their turn in between.
    """
    gone: Counter[str] = Counter()
    while some := _forget_some(home):
        gone += some
        if stopped and stopped.wait(_BETWEEN_SECONDS):
            break
    names = ("runs", "deliveries", "batches", "events", "lines")
    Shelf(home.store.folder, home.workspace_id).expire()
    files = home.store.collect(home.project.retention)
    return PruneReport(**{name: gone[name] for name in names}, files=files)


def _forget_some(home: Home) -> Counter[str]:
    """Return how much went of each; empty when nothing is left."""
    keep, now = home.project.retention, time.time()
    gone = Counter(prune_state(home.store.database, home.workspace_id, keep, now))
    gone.update(prune_intake(home.store.database, home.workspace_id, keep, now))
    gone.update(prune_exchanges(home.store.database, home.workspace_id, now))
    gone["lines"] = AuditLog(home.store.database, home.workspace_id).forget(now - keep.audit)
    gone.update(prune_workspace(home.workspace, keep, now, _wanted_from(home)))
    return +gone


def _wanted_from(home: Home) -> int:
    """Return the first event's position that a forward has yet to look at."""
    if not home.forwards:
        return LARGEST
    return min(one.position for one in operations.forwarding.begun(home).values())
