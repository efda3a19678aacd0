"""Audiences that nobody looked at for longer than their `every`."""

from rowlift.operations.home import Home
from rowlift.state.freshness import made_at

GRACE_SECONDS = 300.0  # that a look may wait for its turn and take


def looked_at(home: Home, now: float) -> dict[str, tuple[float | None, bool]]:
    """Return by name when each audience with an `every` was looked at, and whether that is late.

    None stands for never. Where no service ever ran nobody is to look by the clock, and nothing is
    told; one that has just begun is given the time to catch up.
    """
    specs = {name: one for name, one in home.project.audiences.items() if one.every is not None}
    service = home.store.services.last(home.workspace_id) if specs else None
    if service is None:
        return {}
    known = home.store.audiences.of(home.workspace_id)
    found: dict[str, tuple[float | None, bool]] = {}
    for name, spec in specs.items():
        uid = home.audiences[name]
        at = (known[uid].looked_at or None) if uid in known else None
        since = at or max(made_at(home.store.database, uid.partition(".")[0]), service.started_at)
        due = max(since + (spec.every or 0), service.started_at)
        found[name] = at, now > due + GRACE_SECONDS
    return found
