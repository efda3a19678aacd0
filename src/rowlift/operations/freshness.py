"""How fresh what syncs brought is, here and at destinations, against the levels they promise."""

from collections.abc import Iterator
from dataclasses import dataclass

from rowlift.core.clock import Clock
from rowlift.core.identifiers import IDENTIFIERS
from rowlift.core.specs import SyncSpec, UseSpec
from rowlift.operations.home import Home
from rowlift.state.freshness import Arrival, arrived, delivered, made_at
from rowlift.state.images import WORKSPACE


@dataclass(frozen=True, slots=True)
class Freshness:
    """How fresh a sync is at one target, or one attribute of it; an empty name is all of them.

    `as_of` is the source's time of the newest result that is wholly there, `at` when it came there:
    the moment it was synced, or delivered. Both are Unix seconds and None where nothing ever came.
    `within` is the level in seconds, `late` whether it is missed.
    """

    sync: str
    target: str
    attribute: str
    as_of: int | None
    at: float | None
    within: int | None
    late: bool


def freshness(home: Home, clock: Clock, sync: str | None = None) -> list[Freshness]:
    """Return how fresh every sync is; of a single one also each attribute.

    Raises ConfigError NAME_UNKNOWN.
    """
    if sync is not None:
        home.sync(sync)
        return list(_levels(home, sync, clock.now().timestamp(), _columns(home, sync)))
    return [one for name in sorted(home.project.syncs) for one in levels(home, name, clock)]


def levels(home: Home, sync: str, clock: Clock) -> Iterator[Freshness]:
    """Yield how fresh a sync is, and those of its attributes that have a level of their own."""
    names = tuple(home.project.syncs[sync].fresh.attributes)
    return _levels(home, sync, clock.now().timestamp(), names)


def arrivals(home: Home, sync: str) -> dict[str, Arrival | None]:
    """Return by target what of a sync has arrived there."""
    spec, uid, database = home.project.syncs[sync], home.syncs[sync], home.store.database
    found = {WORKSPACE: arrived(database, uid)} if spec.workspace else {}
    for use in spec.destinations:
        found[use.use] = delivered(database, uid, home.destinations[use.use])
    return found


def takes(use: UseSpec, column: str) -> bool:
    """Tell whether a destination gets a column."""
    return column not in use.exclude and (
        not use.only or column in use.only or column in use.fields
    )


def _levels(home: Home, sync: str, now: float, names: tuple[str, ...]) -> Iterator[Freshness]:
    spec = home.project.syncs[sync]
    since = made_at(home.store.database, home.syncs[sync])
    uses = {use.use: use for use in spec.destinations}
    for target, arrival in arrivals(home, sync).items():
        for name in ("", *names):
            if name and target in uses and not takes(uses[target], name):
                continue
            within = _within(spec, name)
            age = now - (arrival.as_of if arrival else since)
            is_late = within is not None and age > within
            as_of, at = (arrival.as_of, arrival.at) if arrival else (None, None)
            yield Freshness(sync, target, name, as_of, at, within, is_late)


def _within(spec: SyncSpec, attribute: str) -> int | None:
    return spec.fresh.attributes.get(attribute, spec.fresh.within)


def _columns(home: Home, sync: str) -> tuple[str, ...]:
    image = home.store.images.image(home.syncs[sync])
    found = [one.name for one in image.columns] if image else []
    named = home.project.syncs[sync].fresh.attributes
    return tuple(dict.fromkeys(one for one in (*found, *named) if one not in IDENTIFIERS))
