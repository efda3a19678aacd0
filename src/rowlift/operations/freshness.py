"""How fresh what syncs brought is, here and at destinations, against the levels they promise."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rowlift.core.clock import Clock
from rowlift.core.identifiers import IDENTIFIERS
from rowlift.core.specs import SyncSpec, UseSpec
from rowlift.operations.home import Home
from rowlift.state.freshness import Arrival, arrivals_since, arrived, delivered, made_at
from rowlift.state.images import WORKSPACE

MEASURED_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Freshness:
    """How fresh a sync is at one target, or one attribute of it; an empty name is all of them.

    `as_of` is the source's time of the newest result that is wholly there, `at` when it came there:
    the moment it was synced, or delivered. Both are Unix seconds and None where nothing ever came.
    `within` is the level in seconds, `late` whether it is missed. Of a single sync `met` is the
    share of the last seven days, or of those since something came, in which it was not.
    """

    sync: str
    target: str
    attribute: str
    as_of: int | None
    at: float | None
    within: int | None
    late: bool
    met: float | None = None


def freshness(home: Home, clock: Clock, sync: str | None = None) -> list[Freshness]:
    """Return how fresh every sync is; of a single one also each attribute.

    Raises ConfigError NAME_UNKNOWN.
    """
    if sync is not None:
        home.sync(sync)
        now = clock.now().timestamp()
        return list(_measured(home, sync, now, _levels(home, sync, now, _columns(home, sync))))
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


def _measured(home: Home, sync: str, now: float, found: Iterable[Freshness]) -> Iterator[Freshness]:
    """Yield levels with how well they were met."""
    came: dict[str, Sequence[Arrival]] = {}
    database, uid, since = home.store.database, home.syncs[sync], now - MEASURED_SECONDS
    for one in found:
        if one.within is None or one.at is None:
            yield one
            continue
        if one.target not in came:
            to = None if one.target == WORKSPACE else home.destinations[one.target]
            came[one.target] = arrivals_since(database, uid, to, since)
        yield replace(one, met=share_met(came[one.target], one.within, since, now))


def share_met(came: Sequence[Arrival], within: int, since: float, now: float) -> float:
    """Return the share of the time in which what was there was not older than `within` seconds.

    `came` has what arrived, the oldest first; before the first of it no time counts.
    """
    begin = max(since, came[0].at)
    late = 0.0
    for one, next_at in zip(came, [*(each.at for each in came[1:]), now], strict=True):
        late += max(0.0, next_at - max(begin, one.at, one.as_of + within))
    return 1 - late / (now - begin) if now > begin else 1.0


def _within(spec: SyncSpec, attribute: str) -> int | None:
    return spec.fresh.attributes.get(attribute, spec.fresh.within)


def _columns(home: Home, sync: str) -> tuple[str, ...]:
    image = home.store.images.image(home.syncs[sync])
    found = [one.name for one in image.columns] if image else []
    named = home.project.syncs[sync].fresh.attributes
    return tuple(dict.fromkeys(one for one in (*found, *named) if one not in IDENTIFIERS))
