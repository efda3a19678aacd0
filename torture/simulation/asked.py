"""Why, asked of some rows after each run, against what the story itself wrote down of them."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol, Self

from rowlift.core.nouns import Status
from rowlift.operations.records import Change
from rowlift.operations.reports import DeliveryReport, RunReport
from rowlift.operations.traces import Standing, SyncTrace, TargetTrace, Why
from torture.simulation.model import OVERLAP, Attributes, Expected, Memory, Settings, mapped
from torture.simulation.shop import Shop, Value
from torture.simulation.watch import Divergence, Watch

_THERE = frozenset({Standing.DELIVERED, Standing.UNCHANGED})
_GONE = frozenset({Standing.LEFT, Standing.REMOVED})
_ON_THE_WAY = frozenset(
    {Standing.REJECTED, Standing.IN_DOUBT, Standing.PENDING, Standing.NEVER, Standing.SKIPPED}
)

Moved = tuple[int, Value, Value]  # the run, what was before, what came
_QUERY_DIGITS = 12
_CLOCKS = 1.0  # seconds by which a database and a story may read another time


class Project(Protocol):
    """What is asked."""

    def why(self, who: str) -> Why:
        """Explain one person."""


class Receiver(Protocol):
    """A destination as the story knows it."""

    watch: Watch


@dataclass(frozen=True, slots=True)
class Told:
    """What a run told of itself: when it began, its query, and where its rows stood in the result.

    `since` and `until` are when the story began and ended it, in Unix seconds.
    """

    report: RunReport
    query: str
    places: Mapping[str, int]
    since: float
    until: float

    @classmethod
    def of(
        cls, report: RunReport, settings: Settings, places: Mapping[str, int], since: float
    ) -> Self:
        """Write it down as the run has ended."""
        query = hashlib.sha256(settings.sql().encode()).hexdigest()[:_QUERY_DIGITS]
        named = {settings.identity(key): at for key, at in places.items()}
        return cls(report, query, named, since, time.time())


@dataclass(slots=True)
class Wrote:
    """By which of its deliveries one target may have got each row, as far as the story can tell.

    That is one, unless something else than what the run moved was due as well: after a delivery
    that lacked something, an edit, or a suppression, as `look` tells.
    """

    by: dict[str, set[int]] = field(default_factory=dict)
    look: str = ""

    def note(self, one: DeliveryReport, moved: AbstractSet[str], look: str) -> None:
        """Write down a delivery."""
        is_whole = one.status is Status.COMPLETED and one.reason_code != "SUPERSEDED"
        if look != self.look:
            for known in self.by.values():
                known.add(one.id)
        for key in moved:
            self.by[key] = {one.id}
        self.look = look if is_whole else ""


@dataclass(slots=True)
class Record:
    """What the story knows of rows by key, since nothing of it was in doubt.

    `brought` are the runs that changed a row last, `rows` its last values, `bad` what the last run
    rejected; `stop` is the code with which it was refused. Unless it is whole, from the first run
    on, a row that comes may have been there before all was forgotten.
    """

    rows: dict[str, Attributes] = field(default_factory=dict)
    present: AbstractSet[str] = frozenset()
    changes: dict[tuple[str, str], list[Moved]] = field(default_factory=dict)
    brought: dict[str, int] = field(default_factory=dict)
    bad: AbstractSet[str] = frozenset()
    held: AbstractSet[str] = frozenset()
    stop: str = ""
    moved: list[str] = field(default_factory=list)
    asked: int = 0
    is_whole: bool = False
    runs: dict[int, Told] = field(default_factory=dict)
    targets: dict[str, Wrote] = field(default_factory=dict)
    deliveries: dict[int, int] = field(default_factory=dict)  # each with its run
    _image: Mapping[str, Attributes] | None = None

    def note(
        self, told: Told, expected: Expected, memory: Memory, shop: Shop, of: Settings
    ) -> None:  # fmt: skip
        """Write down what a run makes, before the memory follows it."""
        self.stop, run = "", told.report.id
        self.runs[run] = told
        since = max(0, (memory.last_sync_time or 0) - OVERLAP) if of.is_incremental else 0
        self.held = frozenset(expected.held)
        self.bad = self.held | {of.identity(key) for key in shop.visible(since)[1]}
        image = expected.image
        if not self.knows(memory):
            self.changes.clear()
            is_new = memory.image is not None  # nothing was known, or a reset forgot it
            self.brought = dict.fromkeys(image, run) if is_new else {}
            self.rows, self.moved = dict(image), sorted(image)
            self.is_whole = run == 1
            self.targets.clear()
        else:
            self.moved = sorted(self._moved(run, self._image or {}, image))
        self.present, self._image = frozenset(image), image

    def note_deliveries(self, told: Told, uses: Mapping[str, Any], suppressed: object) -> None:
        """Write down by what the destinations got the rows that a run moved."""
        moved = {*self.moved} if self.brought else set()
        for one in told.report.deliveries:
            look = json.dumps([uses.get(one.destination), suppressed], sort_keys=True)
            self.deliveries[one.id] = told.report.id
            self.targets.setdefault(one.destination, Wrote()).note(one, moved, look)
        for name in self.targets.keys() - {one.destination for one in told.report.deliveries}:
            self.targets[name].look = ""

    def forget_deliveries(self) -> None:
        """Forget by what rows came: there is a delivery now that belongs to no run."""
        self.targets.clear()

    def _moved(
        self, run: int, before: Mapping[str, Attributes], image: Mapping[str, Attributes]
    ) -> Iterator[str]:
        for key in before.keys() | image.keys():
            if before.get(key) != image.get(key):
                yield key
                self.brought[key] = run
                was, now = self.rows.get(key, {}), image.get(key, self.rows.get(key, {}))
                names = was.keys() | now.keys() if key in self.rows or self.is_whole else ()
                for name in names:
                    if was.get(name) != now.get(name):
                        found = self.changes.setdefault((key, name), [])
                        found.insert(0, (run, was.get(name), now.get(name)))
                self.rows[key] = now

    def knows(self, memory: Memory) -> bool:
        """Tell whether nothing was forgotten since."""
        return memory.image is not None and memory.image is self._image

    def refuse(self, code: str) -> None:
        """Write down that the last run took nothing over."""
        self.stop = code

    def chosen(self, chance: Random) -> Sequence[str]:
        """Return whom to ask about: somebody rejected, somebody whom the run moved, and anybody."""
        pools = (sorted(self.bad), self.moved, sorted(self.rows))
        return list(dict.fromkeys(chance.choice(pool) for pool in pools if pool))

    def check(self, key: str, told: Why, settings: Settings, who: "Known") -> None:
        """Compare what is told of one key with what the story knows; raises Divergence."""
        self.asked += 1
        (trace,) = [*told.syncs, *told.absent]
        if key in who.suppressed:
            self._expect(key, trace, {Standing.SUPPRESSED})
            return
        if self.stop:
            others = {Standing.REJECTED, Standing.HELD} if key in who.wrong else set()
            self._expect(key, trace, {Standing.STOPPED, *others}, self.stop)
            return
        if key in self.bad:
            held = Standing.HELD if key in self.held else Standing.REJECTED
            self._expect(key, trace, {held}, "ID_DUPLICATE")
            return
        self._check_values(key, told, settings)
        self._check_row(key, trace)
        for one in trace.targets:
            self._check_target(key, one, settings, who)

    def _expect(
        self, key: str, trace: SyncTrace, allowed: AbstractSet[Standing], code: str = ""
    ) -> None:
        for one in trace.targets:
            if one.standing not in allowed:
                raise Divergence(f"{key} is {one} by why, not {sorted(allowed)}")
            if code and one.code != code and one.standing is not Standing.SUPPRESSED:
                raise Divergence(f"{key} is {one.standing} with {one.code}, not {code}")

    def _check_values(self, key: str, told: Why, settings: Settings) -> None:
        found = {one.name: one for one in told.attributes}
        for name, value in self.rows[key].items():
            if name == "email" or value is None:
                continue
            if key in self.present and (name not in found or found[name].value != value):
                raise Divergence(f"why says {found.get(name)} of {name} of {key}, not {value!r}")
        for (whose, name), known in self.changes.items():
            if whose != key or name == "email":
                continue
            said = found[name].changes if name in found else ()
            changes = [(one.run, one.before, one.after) for one in said]
            if changes[: len(known)] != known:
                raise Divergence(f"why says {changes} of {name} of {key}, not {known}")
            for one in said[: len(known)]:
                self._check_cause(key, one)
            if settings.writes_workspace:  # where the last run that wrote it counts, changed or not
                continue
            if key in self.present and found[name].run != known[0][0]:
                raise Divergence(f"{name} of {key} is of run {found[name].run}, not {known[0]}")

    def _check_cause(self, key: str, one: Change) -> None:
        """Hold the run, the query and the row that are told against what the run was."""
        told = self.runs[one.run or 0]
        if (one.at, one.query) != (told.report.created_at, told.query):
            raise Divergence(f"why says {one} of {key}, not {told.report.created_at}, {told.query}")
        if key in told.places and one.row_number not in {told.places[key], None}:
            raise Divergence(f"why says {one} of {key}, not row {told.places[key]}")

    def _check_row(self, key: str, trace: SyncTrace) -> None:
        run = self.brought.get(key)
        if run is None:
            return
        told = self.runs[run]
        wanted = (run, told.query, told.places.get(key) if key in self.present else None)
        found = (trace.run, trace.query, trace.row_number)
        if found != wanted and (key in told.places or found[:2] != wanted[:2]):
            raise Divergence(f"{key} came by {found} by why, not {wanted}")

    def _check_target(self, key: str, one: TargetTrace, settings: Settings, who: "Known") -> None:
        run = self.brought.get(key)
        is_whole = one.target in who.complete
        allowed = self._allowed(key, run, who.run, is_whole=is_whole)
        if one.standing not in allowed:
            raise Divergence(f"{key} is {one}, not {sorted(allowed)}, after run {who.run}")
        if one.standing in _THERE and run is not None and one.run != run:
            raise Divergence(f"{one.target} has run {one.run} of {key} by why, not {run}")
        if one.target in who.receivers:
            use = settings.uses[one.target]
            there = who.receivers[one.target].watch.state.get((use["match"], key))
            self._check_there(key, one, there, use)
            if one.standing in _THERE:
                self._check_delivery(key, one)

    def _check_delivery(self, key: str, one: TargetTrace) -> None:
        """Hold the delivery that is told, and when it was, against those of the story."""
        known = self.targets[one.target].by.get(key) if one.target in self.targets else None
        if known is None:
            return
        if one.delivery not in known:
            raise Divergence(f"{one.target} has {key} by {one}, not by one of {sorted(known)}")
        told = self.runs[self.deliveries[one.delivery]]
        if not told.since - _CLOCKS <= (one.at or 0) <= told.until + _CLOCKS:
            raise Divergence(f"{one} was not between {told.since} and {told.until}")

    def _allowed(
        self, key: str, run: int | None, now: int, *, is_whole: bool
    ) -> AbstractSet[Standing]:
        if key not in self.present:
            return _GONE if is_whole else _GONE | _ON_THE_WAY
        fresh = {Standing.DELIVERED} if run == now else {Standing.UNCHANGED}
        there = _THERE if run is None else fresh
        return there if is_whole else there | _ON_THE_WAY

    def _check_there(
        self, key: str, one: TargetTrace, there: Mapping[str, Any] | None, use: Mapping[str, Any]
    ) -> None:
        """Hold what is said to be at a destination against what came there."""
        is_there = there is not None and there["op"] == "upsert"
        if one.standing in _THERE:
            wanted = mapped(self.rows[key], use)
            if there is None or not is_there or there["attributes"] != wanted:
                raise Divergence(f"{one.target} has {there} of {key}, and why says {one}")
        if one.standing is Standing.REMOVED and is_there:
            raise Divergence(f"{one.target} has {there} of {key}, and why says it is removed")


@dataclass(frozen=True, slots=True)
class Known:
    """What the story knows as one run ends: `complete` are the targets that lack nothing.

    `wrong` are keys whose rows the source has twice.
    """

    run: int
    suppressed: AbstractSet[str]
    wrong: AbstractSet[str]
    receivers: Mapping[str, Receiver]
    complete: AbstractSet[str]


def completed(report: RunReport, settings: Settings) -> set[str]:
    """Return the targets to which all of a run went."""
    whole = {one.destination for one in report.deliveries if one.status is Status.COMPLETED}
    return whole | ({"workspace"} if settings.writes_workspace else set())
