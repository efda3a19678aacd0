"""Audiences: keep them current, and show who is in them and why; times are Unix seconds."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from rowlift.core.audiences import AudienceSpec, in_order
from rowlift.core.clock import Clock
from rowlift.core.errors import Busy, ConfigError, Fenced, RowliftError, StateError, is_passing
from rowlift.core.nouns import Status
from rowlift.core.progress import Progress
from rowlift.core.spelling import did_you_mean
from rowlift.operations.alerting import telling
from rowlift.operations.asking import patiently
from rowlift.operations.defining import Written, would_be
from rowlift.operations.dependence import AudienceSource, sources
from rowlift.operations.home import Home
from rowlift.operations.lateness import looked_at
from rowlift.operations.servicing import ServiceDesk
from rowlift.operations.suggesting import AudienceChoices, choices
from rowlift.project.problems import shown
from rowlift.project.wording import sentence
from rowlift.state.audiences import Audience, AudienceSize, ask
from rowlift.state.leases import Lease
from rowlift.workspace import audiences as members
from rowlift.workspace import segments

_AGAIN_SECONDS = 300.0  # after a failure, unless something changed before
_MOST_SIZES = 1000


@dataclass(frozen=True, slots=True)
class AudienceRecord:
    """An audience: whom it means in words, how many people it has, and how it stands.

    `looked_at` is None where nobody ever looked; `is_due` says that its people may be others by
    now, `is_late` that a service looked for them longer ago than `every` seconds.
    """

    name: str
    description: str
    words: str
    members: int
    status: Status
    is_due: bool
    looked_at: float | None = None
    reason_code: str = ""
    reason: str = ""
    every: int | None = None
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class AudienceSample:
    """Whom a document means now: in words, how many, and some of them.

    Who is suppressed is counted, and never enters.
    """

    words: str
    size: int
    people: Sequence[members.Somebody]
    seconds: float


@dataclass(frozen=True, slots=True)
class AudienceOutline:
    """Whom a document means in words, and what brings that which it is computed from.

    `as_of` is the source's time of the oldest of it, in Unix seconds; None where nothing came.
    """

    words: str
    sources: Sequence[AudienceSource] = ()
    as_of: int | None = None


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many people two segments or audiences have, and how many they have in common."""

    first: str
    second: str
    first_members: int
    second_members: int
    common: int


def begun(home: Home) -> dict[str, Audience]:
    """Return how each declared audience stands, by name; new ones begin."""
    if not home.audiences:
        return {}
    known = home.store.audiences.of(home.workspace_id)
    fresh = [uid for uid in home.audiences.values() if uid not in known]
    for uid in fresh:
        home.store.audiences.open(home.workspace_id, uid)
    if fresh:
        known = home.store.audiences.of(home.workspace_id)
    return {name: known[uid] for name, uid in home.audiences.items()}


def feeds(home: Home, name: str) -> list[str]:
    """Return the syncs whose rows are the people of an audience."""
    return sorted(sync for sync, spec in home.project.syncs.items() if spec.audience == name)


@dataclass(frozen=True, slots=True)
class Computing:
    """Looks for the people of audiences, for a service, after a run or on request."""

    home: Home
    clock: Clock
    _progress: Progress

    def due(self) -> dict[str, Audience]:
        """Return the audiences whose people may be others by now, by name, in order.

        Each comes after those it is made from.
        """
        found, now = begun(self.home), self.now()
        specs = self.home.project.audiences
        return {
            name: found[name]
            for name in in_order(specs)
            if found[name].is_due(specs[name].meaning, specs[name].every, now)
        }

    def compute(
        self, name: str, audience: Audience, cancelled: Callable[[], bool] = lambda: False
    ) -> bool:
        """Let everybody be in an audience whom it means; False where another process does.

        What goes wrong is kept with the audience; where the state was away it is raised, and
        whoever comes next looks again.
        """
        claimed = self.home.store.audiences.claim(audience)
        if claimed is None:
            return False
        lease = self.home.store.audiences.lease(claimed)
        try:
            with lease:
                self._carry(name, claimed, lease, cancelled)
        except Fenced:
            return False
        return True

    def compute_due(self) -> None:
        """Compute all that is due, those that become due by it too."""
        seen: set[str] = set()
        while found := {name: one for name, one in self.due().items() if name not in seen}:
            name, audience = next(iter(found.items()))
            seen.add(name)
            self.compute(name, audience)

    def _carry(
        self, name: str, audience: Audience, lease: Lease, cancelled: Callable[[], bool]
    ) -> None:
        try:
            Computation(self.home, name, audience, lease, self.now()).carry(cancelled)
        except (Fenced, Busy):
            raise
        except RowliftError as error:
            if is_passing(error):
                raise
            store = self.home.store
            with store.database.transaction("audience.fail") as connection:
                lease.hold(connection)
                reason = f"{error.message} {error.mend}".strip()
                store.audiences.fail(connection, audience, error.code, reason, _AGAIN_SECONDS)
            self._progress.note(f"audience {name}", "It could not be computed.", str(error))

    def now(self) -> float:
        """Return the moment it is."""
        return self.clock.now().timestamp()


@dataclass(frozen=True, slots=True)
class Computation:
    """One look for the people of one audience."""

    home: Home
    name: str
    audience: Audience
    lease: Lease
    now: float

    def carry(self, cancelled: Callable[[], bool]) -> None:
        """Find the people, and let them enter and leave in slices; nobody waits long for one."""
        began = time.monotonic()
        segment_id = self._segment()
        database, spec = self.home.store.database, self._spec
        with database.read() as connection:
            chosen = members.whom(
                connection, self.home.workspace, spec, self.now, _seed(self.audience.uid)
            )
        found = members.moves(database, segment_id, chosen, from_all=spec.limit is not None)
        entered = left = 0
        is_whole = True
        for step in found.slices():
            if cancelled():
                is_whole = False
                break
            come, gone = self._move(segment_id, step)
            entered, left = entered + come, left + gone
        if entered or left:
            self._ask_feeds()
        if is_whole:
            self._answer(segment_id, entered, left, time.monotonic() - began)
        else:
            self._leave()

    @property
    def _spec(self) -> AudienceSpec:
        return self.home.project.audiences[self.name]

    def _segment(self) -> int:
        others = frozenset(self.home.audiences.values()) - {self.audience.uid}
        with self.home.store.database.transaction("audience.segment") as connection:
            self.lease.hold(connection)
            return members.own_segment(
                connection, self.home.workspace, self.name, self.audience.uid, others
            )

    def _move(self, segment_id: int, step: members.Moves) -> tuple[int, int]:
        with self.home.store.database.transaction("audience.members") as connection:
            self.lease.hold(connection)
            return members.settle(
                connection, self.home.workspace, segment_id, self.audience.uid, step
            )

    def _answer(self, segment_id: int, entered: int, left: int, seconds: float) -> None:
        store, uids = self.home.store, self.home.audiences
        made_of_it = [
            uids[name]
            for name, spec in self.home.project.audiences.items()
            if self.name in spec.segments
        ]
        with store.database.transaction("audience.answer") as connection:
            self.lease.hold(connection)
            size = AudienceSize(
                self.now, members.members(connection, segment_id), entered, left, seconds
            )
            store.audiences.answer(connection, self.audience, self._spec.meaning, size)
            if made_of_it and (entered or left):
                ask(connection, self.home.workspace_id, *made_of_it)

    def _ask_feeds(self) -> None:
        """Ask the service for the syncs of these people; where none runs their turn comes."""
        for sync in feeds(self.home, self.name):
            with suppress(RowliftError):
                ServiceDesk(self.home).trigger([sync], by=f"audience {self.name}")

    def _leave(self) -> None:
        with self.home.store.database.transaction("audience.leave") as connection:
            self.lease.hold(connection)
            self.home.store.audiences.leave(connection, self.audience)


@dataclass(frozen=True, slots=True)
class Audiences:
    """The door to audiences; their definitions are among the definitions.

    Methods that name one raise ConfigError NAME_UNKNOWN, or what is wrong with it.
    """

    home: Home
    _computing: Computing

    def list(self) -> Sequence[AudienceRecord]:
        """Return all audiences by name."""
        found = begun(self.home)
        sizes, late = _sizes(self.home), self._late()
        return [self._record(name, found[name], sizes, late) for name in sorted(found)]

    def get(self, name: str) -> AudienceRecord:
        """Return one audience."""
        return self._record(name, self._begun(name), _sizes(self.home), self._late())

    def compute(self, names: Sequence[str] = ()) -> Sequence[AudienceRecord]:
        """Look now for the people of some audiences, or of all, and return how they stand.

        One that another process computes is left to it.
        """
        chosen = {name: self._begun(name) for name in names or self.home.audiences}
        with telling(self.home, self._computing.clock):
            for name in in_order(self.home.project.audiences):
                if name in chosen:
                    self._computing.compute(name, chosen[name])
            self._computing.compute_due()
        return [self.get(name) for name in sorted(chosen)]

    def feeds(self, name: str) -> Sequence[str]:
        """Return the names of the syncs whose rows are its people."""
        self._begun(name)
        return feeds(self.home, name)

    def sizes(self, name: str, limit: int = 100) -> Sequence[AudienceSize]:
        """Return how many people it had whenever that changed, the newest first."""
        return self.home.store.audiences.sizes(self._begun(name).uid, min(limit, _MOST_SIZES))

    def choices(self, *, with_values: bool) -> AudienceChoices:
        """Return what conditions may ask for; values of people only `with_values`."""
        return choices(self.home, with_values=with_values)

    def outline(self, name: str, document: Written | None = None) -> AudienceOutline:
        """Return an audience in words, as it is or with a document that is not kept.

        Raises ProjectInvalid too.
        """
        home = self._with(name, document)
        spec = home.project.audiences[name]
        found = sources(home, spec, self._computing.clock)
        oldest = min((one.as_of for one in found if one.as_of is not None), default=None)
        return AudienceOutline(sentence(spec), found, oldest)

    def sample(
        self, name: str, document: Written | None = None, most: int = 20,
        seconds: float | None = None,
    ) -> AudienceSample:  # fmt: skip
        """Return whom an audience means now, as it is or with a document that is not kept.

        Raises ProjectInvalid too, and StateError STATE_SLOW where it takes more than `seconds`.
        """
        home = self._with(name, document)
        spec, began = home.project.audiences[name], time.monotonic()
        seed = _seed(home.audiences.get(name, name))
        with _counting(seconds), patiently(home.store.database, seconds) as connection:
            chosen = members.whom(connection, home.workspace, spec, self._computing.now(), seed)
            size, some = members.sample(connection, home.workspace, chosen, most)
        return AudienceSample(sentence(spec), size, some, time.monotonic() - began)

    def overlap(self, first: str, second: str) -> Overlap:
        """Return how many people two segments or audiences have in common."""
        one, other = (segments.segment(self.home.workspace, name) for name in (first, second))
        with self.home.store.database.read() as connection:
            common = members.overlap(connection, one.id, other.id)
        return Overlap(first, second, one.members, other.members, common)

    def _with(self, name: str, document: Written | None) -> Home:
        if document is not None:
            return would_be(self.home, "audience", name, document, is_meant=False)
        self._begun(name)
        return self.home

    def _begun(self, name: str) -> Audience:
        if ("audience", name) in self.home.broken:
            raise self.home.broken["audience", name]
        if name not in self.home.audiences:
            known = ", ".join(sorted(self.home.audiences)) or "none"
            hint = did_you_mean(name, self.home.audiences)
            text = f"There is no audience {shown(name)}.{hint}"
            raise ConfigError("NAME_UNKNOWN", text, mend=f"Known audiences: {known}.")
        return begun(self.home)[name]

    def _late(self) -> set[str]:
        found = looked_at(self.home, self._computing.now())
        return {name for name, (_, is_late) in found.items() if is_late}

    def _record(
        self, name: str, one: Audience, sizes: Mapping[str, int], late: Collection[str]
    ) -> AudienceRecord:
        spec = self.home.project.audiences[name]
        return AudienceRecord(
            name,
            spec.description,
            sentence(spec),
            sizes.get(one.uid, 0),
            one.status,
            one.is_due(spec.meaning, spec.every, self._computing.now()),
            one.looked_at or None,
            one.reason_code,
            one.reason,
            spec.every,
            name in late,
        )


@contextmanager
def _counting(seconds: float | None) -> Iterator[None]:
    """Say of a count that took too long how to get the number."""
    try:
        yield
    except StateError as error:
        if error.code != "STATE_SLOW" or seconds is None:
            raise
        raise StateError(
            "STATE_SLOW",
            f"Counting these people takes more than {seconds:g} s, so it was stopped.",
            mend="Keep the audience: it is computed without this limit, and its page has the size.",
        ) from None


def _seed(uid: str) -> str:
    """Return what the parts of one audience have in common."""
    return uid.partition(".")[0]


def _sizes(home: Home) -> dict[str, int]:
    return {
        one.audience_uid: one.members
        for one in segments.list_segments(home.workspace)
        if one.audience_uid
    }
