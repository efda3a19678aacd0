"""Pause a sync and let it go on; what is remembered of it stays."""

from collections.abc import Sequence

from rowlift.operations.home import Home


def chosen(home: Home, names: Sequence[str]) -> list[str]:
    """Return the syncs that are named, or all; raises ConfigError NAME_UNKNOWN."""
    for name in names:
        home.sync(name)
    return list(dict.fromkeys(names)) or sorted(home.project.syncs)


def pause(home: Home, name: str, *, paused: bool) -> None:
    """Pause a sync, or let it run again."""
    home.sync(name)
    home.store.runs.pause(home.workspace_id, home.syncs[name], paused=paused)


def is_paused(home: Home, name: str) -> bool:
    """Tell whether a sync is paused."""
    return home.store.runs.is_paused(home.syncs[name])
