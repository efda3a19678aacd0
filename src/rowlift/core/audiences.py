"""Who belongs to an audience: conditions on what the workspace knows of people.

A condition holds for a person or it does not; there is no third answer. A value that is missing, or
of another type than a test asks for, does not pass it, so that `none` takes everybody who does not
belong, people of whom nothing is known among them.
"""

from dataclasses import dataclass
from typing import Literal

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
class AudienceSpec:
    """An audience: people who meet `where` and not `exclude`, or the first of them."""

    name: str
    where: Condition
    exclude: Condition | None = None
    limit: Limit | None = None
    description: str = ""
    renamed_from: str | None = None


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


def segments_in(condition: Condition) -> frozenset[str]:
    """Return the segments and audiences that a condition names, however deep."""
    if isinstance(condition, Inside):
        return frozenset({condition.segment})
    return frozenset().union(*(segments_in(one) for one in parts(condition)))
