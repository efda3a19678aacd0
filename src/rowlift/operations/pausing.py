"""Pause a sync and let it go on; what is remembered of it stays."""

from collections.abc import Sequence

from rowlift.core.clock import Clock
from rowlift.core.errors import GuardStop
from rowlift.operations.home import Home, sync_names


def chosen(home: Home, names: Sequence[str]) -> list[str]:
    """Return the syncs that are named, or all; raises ConfigError NAME_UNKNOWN."""
    for name in names:
        home.sync(name)
    return list(dict.fromkeys(names)) or sorted(home.project.syncs)


def pause(home: Home, name: str, clock: Clock, *, paused: bool) -> None:
    """Pause a sync, or let it run again from its next slot on."""
    home.sync(name)
    now = int(clock.now().timestamp())
    home.store.runs.pause(home.workspace_id, home.syncs[name], paused=paused, at=now)


def refuse_paused(home: Home, uid: str) -> None:
    """Raise GuardStop PAUSED where a sync is paused."""
    if home.store.runs.is_paused(uid):
        name = sync_names(home)[uid]
        mend = f"Let it run again: rowlift resume {name}."
        raise GuardStop("PAUSED", f"{name} is paused.", mend=mend)


def paused(home: Home, names: Sequence[str]) -> list[str]:
    """Return which of some syncs, of all if none is named, are paused."""
    return [name for name in chosen(home, names) if is_paused(home, name)]


def is_paused(home: Home, name: str) -> bool:
    """Tell whether a sync is paused."""
    return home.store.runs.is_paused(home.syncs[name])
