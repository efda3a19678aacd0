"""Who belongs to an audience: conditions on what the workspace knows of people.

A condition holds for a person or it does not; there is no third answer. A value that is missing, or
of another type than a test asks for, does not pass it, so that `none` takes everybody who does not
belong, people of whom nothing is known among them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import reduce
from graphlib import TopologicalSorter
from operator import or_
from typing import Any, Literal

Scalar = str | int | float | bool
Join = Literal["all", "any", "none"]
TestName = Literal[
    "is", "is_not", "one_of", "contains", "starts_with", "ends_with",
    "more_than", "at_least", "less_than", "at_most",
    "since", "before", "within_last", "within_next",
    "present", "missing",
]  # fmt: skip

IDENTIFIERS = ("id", "email")


@dataclass(frozen=True, slots=True)
class Test:
    """What is asked of one value.

    `since` and `before` compare with a moment in UTC (`2026-11-21` or `2026-11-21T10:00:00`, no
    fraction of zero), `within_last` and `within_next` take seconds from now. Dates and times are
    texts in the canonical form; a number counts as Unix seconds. `is_not` and `missing` are what
    `is` and `present` are not.
    """

    name: TestName
    value: Scalar | tuple[Scalar, ...] = True


@dataclass(frozen=True, slots=True)
class Valued:
    """An attribute, or one of id and email, that passes all tests."""

    attribute: str
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Did:
    """An event that happened so many times, of late or ever, with such properties."""

    event: str
    type: Literal["track", "page", "screen"] = "track"
    at_least: int | None = 1
    at_most: int | None = None
    within_last: int | None = None
    where: "Condition | None" = None


@dataclass(frozen=True, slots=True)
class Related:
    """A relationship with an object of a type, both of which meet conditions."""

    type: str
    where: "Condition | None" = None
    relationship: "Condition | None" = None


@dataclass(frozen=True, slots=True)
class Inside:
    """A segment or another audience that the person is in."""

    segment: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Conditions of which all hold, or any, or none; of no conditions all and none hold."""

    join: Join
    of: tuple["Condition", ...]


Condition = Valued | Did | Related | Inside | Joined


@dataclass(frozen=True, slots=True)
class Limit:
    """The first so many people by an attribute; who has no number in it comes last."""

    most: int
    by: str
    order: Literal["highest", "lowest"] = "highest"


@dataclass(frozen=True, slots=True)
class Rank:
    """A place in a waterfall, whose audiences have nobody in common: the first one has them."""

    waterfall: str
    place: int


@dataclass(frozen=True, slots=True)
class Share:
    """A part of an audience: its name, and how many hundredths of a percent of the people it has.

    `since` is how many the parts before it have.
    """

    name: str
    since: int
    size: int


WHOLE = 10_000  # hundredths of a percent


@dataclass(frozen=True, slots=True)
class AudienceSpec:
    """An audience: people who meet `where` and not `exclude`, or the first of them.

    It is looked at again `every` so many seconds even where nothing changed, as time passes; None
    is never. `ahead` are the audiences before it in its waterfall, `share` is what it has of the
    one audience that it is a part of; `complete` makes both.
    """

    name: str
    where: Condition
    exclude: Condition | None = None
    limit: Limit | None = None
    every: int | None = None
    description: str = ""
    renamed_from: str | None = None
    rank: Rank | None = None
    split: tuple[Share, ...] = ()
    ahead: tuple[str, ...] = ()
    share: Share | None = None

    @property
    def left_out(self) -> Condition | None:
        """Return the condition of whoever does not belong, though they meet `where`."""
        out = [Inside(one) for one in self.ahead]
        own = () if self.exclude is None else (self.exclude,)
        return Joined("any", (*own, *out)) if out else self.exclude

    @property
    def segments(self) -> frozenset[str]:
        """Return the segments and audiences that it is made from."""
        out = self.left_out
        named = segments_in(self.where)
        return named if out is None else named | segments_in(out)

    def to_json(self) -> str:
        """Return what was declared as one JSON object with sorted keys."""
        return replace(self, ahead=()).meaning

    @property
    def meaning(self) -> str:
        """Return the whole spec as one JSON object with sorted keys."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)


def parts(condition: Condition) -> tuple[Condition, ...]:
    """Return the conditions that a condition is made of."""
    match condition:
        case Joined(of=found):
            return found
        case Did(where=where) if where is not None:
            return (where,)
        case Related(where=where, relationship=joining):
            return tuple(one for one in (where, joining) if one is not None)
    return ()


def is_dated(condition: Condition) -> bool:
    """Tell whether who meets a condition changes as time passes."""
    match condition:
        case Valued(tests=tests):
            return any(one.name in {"within_last", "within_next"} for one in tests)
        case Did(within_last=int()):
            return True
    return any(is_dated(one) for one in parts(condition))


def segments_in(condition: Condition) -> frozenset[str]:
    """Return the segments and audiences that a condition names, however deep."""
    if isinstance(condition, Inside):
        return frozenset({condition.segment})
    return frozenset().union(*(segments_in(one) for one in parts(condition)))


@dataclass(frozen=True, slots=True)
class Needs:
    """What people are asked for: their attributes, objects by type and the rest, and events."""

    attributes: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    events: bool = False

    def __or__(self, other: "Needs") -> "Needs":
        """Return the needs of both."""
        return Needs(
            self.attributes | other.attributes, self.objects | other.objects,
            self.segments | other.segments, self.events or other.events,
        )  # fmt: skip


def needs(spec: AudienceSpec) -> Needs:
    """Return what decides who is in an audience; what other audiences need comes with them."""
    found = [_needs(one) for one in (spec.where, spec.left_out) if one is not None]
    by = Needs(frozenset({spec.limit.by})) if spec.limit else Needs()
    return reduce(or_, found, by)


def _needs(condition: Condition) -> Needs:
    match condition:
        case Valued(attribute=name):
            return Needs(frozenset({name}))
        case Did():
            return Needs(events=True)
        case Related(type=of_type):
            return Needs(objects=frozenset({of_type}))
        case Inside(segment=name):
            return Needs(segments=frozenset({name}))
        case Joined(of=of):
            return reduce(or_, map(_needs, of), Needs())


@dataclass(frozen=True, slots=True)
class Wrote:
    """What a run wrote; with `anything` people came, left or were merged, so that all may differ.

    `objects` are objects and relationships of any type.
    """

    anything: bool = False
    attributes: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    objects: bool = False

    def touches(self, meaning: str) -> bool:
        """Tell whether who is in an audience may differ; it is as `AudienceSpec.meaning` tells.

        Of events some may have been forgotten since somebody looked.
        """
        asked = _told_needs(json.loads(meaning))
        return (
            self.anything
            or asked.events
            or not self.attributes.isdisjoint(asked.attributes)
            or not self.segments.isdisjoint(asked.segments)
            or (self.objects and bool(asked.objects))
        )


ANYTHING = Wrote(anything=True)


def _told_needs(told: Any) -> Needs:
    """Return the needs of a spec, or of a part of it, that was written as JSON."""
    match told:
        case {"attribute": str(name)}:
            return Needs(frozenset({name}))
        case {"event": str()}:
            return Needs(events=True)
        case {"relationship": _, "type": str(of_type)}:
            return Needs(objects=frozenset({of_type}))
        case {"segment": str(name)}:
            return Needs(segments=frozenset({name}))
        case {"of": list(of)}:
            return reduce(or_, map(_told_needs, of), Needs())
        case {"where": where, "exclude": exclude, "limit": limit, "ahead": list(ahead)}:
            by = frozenset({limit["by"]}) if limit else frozenset()
            own = Needs(by, segments=frozenset(ahead))
            return own | _told_needs(where) | _told_needs(exclude)
    return Needs()


def complete(audiences: Mapping[str, AudienceSpec]) -> dict[str, AudienceSpec]:
    """Return audiences that know who is ahead of them, and the parts into which some are split."""
    found = dict[str, AudienceSpec]()
    for name, spec in audiences.items():
        found[name] = replace(spec, ahead=_ahead(spec, audiences))
        for share in spec.split:
            part = part_name(name, share.name)
            found[part] = AudienceSpec(part, Inside(name), share=share)
    return found


def part_name(audience: str, share: str) -> str:
    """Return what a part of an audience is called; no audience is called so."""
    return f"{audience}.{share}"


def renamed(segment: str, audience: str, to: str) -> str:
    """Return a segment's name once an audience is called otherwise, of which it may be a part."""
    whole, point, part = segment.partition(".")
    return to + point + part if whole == audience else segment


def _ahead(spec: AudienceSpec, audiences: Mapping[str, AudienceSpec]) -> tuple[str, ...]:
    mine = spec.rank
    if mine is None:
        return ()
    others = {
        name: one.rank.place
        for name, one in audiences.items()
        if one.rank and one.rank.waterfall == mine.waterfall and one.rank.place < mine.place
    }
    return tuple(sorted(others, key=lambda name: (others[name], name)))


def circle(name: str, audiences: Mapping[str, AudienceSpec]) -> tuple[str, ...]:
    """Return the way from an audience, over those it is made from, to itself; empty for none."""
    ways: list[tuple[str, ...]] = [(name,)]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for one in sorted(audiences[way[-1]].segments & audiences.keys() - seen):
            if one == name:
                return (*way, name)
            seen.add(one)
            ways.append((*way, one))
    return ()


def in_order(audiences: Mapping[str, AudienceSpec]) -> tuple[str, ...]:
    """Return the names of audiences such that each comes after those it is made from."""
    made_from = {name: one.segments & audiences.keys() for name, one in sorted(audiences.items())}
    return tuple(TopologicalSorter(made_from).static_order())
