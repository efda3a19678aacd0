"""What a sync would take before it is saved or run: from its past, its preview and its source."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from statistics import median_low
from typing import Any

from rowlift.core.errors import RowliftError, SourceError
from rowlift.core.estimates import Cadence, Estimate, Traffic
from rowlift.core.nouns import Column, QueryFacts
from rowlift.core.ports import Destination, FactSource, Source
from rowlift.core.specs import SyncSpec, UseSpec
from rowlift.engine.advice import Case, advise
from rowlift.engine.cadence import PAST_RUNS, cadence, duration, of_query
from rowlift.engine.columns import left_out
from rowlift.engine.delivery import feed_of, timestamp_of
from rowlift.engine.foresee import Foreseen
from rowlift.engine.ledger import mapping_of
from rowlift.engine.moments import no_seconds
from rowlift.engine.preview import SAMPLE_ROWS, Preview
from rowlift.engine.traffic import Load, load, sampled, traffic
from rowlift.kit.sqlguard import guard, render, uses_last_sync_time
from rowlift.operations.home import Home, open_destination, source_config
from rowlift.state.carried import Carried, carried, sent, timed_out, undone
from rowlift.state.files import PINS
from rowlift.state.leases import database_now

LAST_RUNS = 20


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of a sync's query: how many rows, their columns, and the first of them."""

    rows: int | None
    columns: Sequence[Column]
    sample: Sequence[tuple[str, Mapping[str, Any]]]  # key, and values by column
    facts: QueryFacts
    loads: Mapping[str, Load]  # by destination, where they are known exactly

    @classmethod
    def of_preview(cls, found: Preview, facts: QueryFacts) -> "Sight":
        """Return what a preview has seen; a short sample is the whole result."""
        rows = len(found.rows)
        is_whole = found.whole or rows < SAMPLE_ROWS
        names = [one.name for one in found.columns]
        sample = [
            (one.identifier, dict(zip(names, one.values, strict=True)))
            for one in found.rows
            if one.identifier
        ]
        count = found.counts.get("rows", rows) if is_whole else None
        return cls(count, found.columns, sample, facts, {})

    @classmethod
    def of_foreseen(cls, found: Foreseen, facts: QueryFacts) -> "Sight":
        """Return what a plan has seen, which knows exactly what each destination gets."""
        loads = {
            target: Load(told["due"], told["bytes"], told["requests"])
            for target, told in found.targets.items()
            if "requests" in told
        }
        return cls(int(found.counts["read"]), (), (), facts, loads)

    @property
    def empty(self) -> list[str]:
        """Return the columns without a value in the sample; none of a small sample."""
        if len(self.sample) < SAMPLE_ROWS:
            return []
        names = [one.name for one in self.columns]
        return [name for name in names if all(row[name] is None for _, row in self.sample)]


def facts_of(source: Source, spec: SyncSpec) -> QueryFacts:
    """Return what a source tells of a sync's query, which is worth no failure."""
    if not isinstance(source, FactSource):
        return QueryFacts()
    try:
        facts = source.facts(guard(render(spec.sql, 0, source.dialect), source.dialect).sql)
        return replace(facts, no_seconds=tuple(no_seconds(source, spec.sql)))
    except SourceError:
        return QueryFacts()


def estimate(home: Home, spec: SyncSpec, uid: str, seen: Sight, dialect: str) -> Estimate:
    """Return what a sync would take, and what is advised."""
    database, now = home.store.database, _now(home)
    own = of_query(carried(database, home.workspace_id, PAST_RUNS, sync_uid=uid), spec.sql)
    past = carried(database, home.workspace_id, PAST_RUNS)
    told = duration(own, past, seen.rows)
    slots = cadence(spec, told, own, past, uid, now)
    case = Case(
        spec, dialect, seen.rows, _usually_read(spec, own, seen), told, slots, seen.facts,
        has_limit=guard(render(spec.sql, 0, dialect), dialect).has_limit,
        columns=seen.columns,
        empty=seen.empty,
        timeout=_timeout(home, spec),
        timed_out=timed_out(database, uid, LAST_RUNS),
        undone=sum(one.rows for one in home.store.files.live([PINS], uid)),
        before=_read_before(home, uid),
    )  # fmt: skip
    return Estimate(
        spec.name, seen.rows, told, slots,
        tuple(_traffic(home, spec, use, uid, seen, slots) for use in spec.destinations),
        seen.facts.bytes_read, advise(case),
    )  # fmt: skip


def estimate_undo(home: Home, spec: SyncSpec, uid: str, found: Foreseen, rows: int) -> Estimate:
    """Return what an undo of so many rows would take, by former ones, else by runs as large."""
    database = home.store.database
    past = undone(database, home.workspace_id, PAST_RUNS)
    past = past or carried(database, home.workspace_id, PAST_RUNS)
    seen = Sight.of_foreseen(found, QueryFacts())
    each = (_traffic(home, spec, use, uid, seen, None) for use in spec.destinations)
    told = tuple(replace(one, usual=None) for one in each)  # usual is what runs send
    return Estimate(spec.name, rows, duration([], past, rows), None, told)


def _now(home: Home) -> int:
    with home.store.database.read() as connection:
        return int(database_now(home.store.database, connection))


def _read_before(home: Home, uid: str) -> Sequence[str]:
    image = home.store.images.image(uid)
    return [one.name for one in image.columns] if image else []


def _usually_read(spec: SyncSpec, own: Sequence[Carried], seen: Sight) -> int | None:
    if own:
        return median_low(one.rows for one in own)
    return None if uses_last_sync_time(spec.sql) else seen.rows


def _timeout(home: Home, spec: SyncSpec) -> float | None:
    config = source_config(home.project.root, home.declared(spec.source), home.env)
    return getattr(config, "statement_timeout", None)


def _traffic(
    home: Home, spec: SyncSpec, use: UseSpec, uid: str, seen: Sight, slots: Cadence | None
) -> Traffic:
    """Return what a destination would get; of one that cannot be opened only what is known."""
    destination_uid = home.destinations.get(use.use, "")
    usual = sent(home.store.database, uid, destination_uid, PAST_RUNS)
    names = [one.name for one in seen.columns]
    columns = [one for one in seen.columns if one.name not in left_out(names, spec)]
    declared, feed = home.project.destinations[use.use], feed_of(spec, use, uid, columns)
    try:
        opened = open_destination(home.project.root, declared, feed, home.env)
        with closing(opened) as destination:
            known = seen.loads.get(use.use) or _load(destination, use, columns, seen)
            limits = destination.limits
    except RowliftError:
        return Traffic(use.use, seen.rows)
    return traffic(use.use, known, usual, limits, slots) if known else Traffic(use.use)


def _load(
    destination: Destination, use: UseSpec, columns: Sequence[Column], seen: Sight
) -> Load | None:
    if seen.rows is None:
        return None
    size = sampled(destination, list(_mapped(use, columns, seen)), timestamp_of(0))
    return load(seen.rows, size, destination.limits)


def _mapped(
    use: UseSpec, columns: Sequence[Column], seen: Sight
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    names = [one.name for one in columns]
    fields = mapping_of(use, names).fields
    pairs = [(name, name) for name in names] if fields is None else fields
    for key, row in seen.sample:
        yield key, {trait: row[name] for name, trait in pairs if row[name] is not None}
