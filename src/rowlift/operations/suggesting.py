"""What conditions may ask for: attributes, events, objects and segments, with values they have."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rowlift.core.audiences import IDENTIFIERS, Scalar
from rowlift.operations.home import Home
from rowlift.workspace import segments
from rowlift.workspace.samples import (
    Example,
    some_events,
    some_objects,
    some_people,
    some_relationships,
)

LOOKED_AT = 2000  # of people, events, objects and relationships, the newest each
MOST_NAMES = 300  # of attributes or events
MOST_VALUES = 12  # of one attribute, the most frequent
LONGEST_VALUE = 80  # characters

Type = Literal["text", "number", "date", "boolean", "list", "other"]

_DAY = re.compile(r"\d{4}-\d\d-\d\d(T.*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class KnownAttribute:
    """An attribute or property: of which type most values are, and some that are frequent."""

    name: str
    type: Type
    values: Sequence[Scalar] = ()


@dataclass(frozen=True, slots=True)
class KnownThing:
    """An event, with `type` track, page or screen, or a type of objects; and its attributes."""

    type: str
    name: str
    attributes: Sequence[KnownAttribute] = ()


@dataclass(frozen=True, slots=True)
class AudienceChoices:
    """What conditions may ask for, as the newest people, events and objects have it."""

    attributes: Sequence[KnownAttribute]
    events: Sequence[KnownThing]
    objects: Sequence[KnownThing]
    relationships: Sequence[KnownAttribute]
    segments: Sequence[str]


def choices(home: Home, *, with_values: bool) -> AudienceChoices:
    """Return what conditions may ask for; values of people only `with_values`."""
    workspace = home.workspace
    with home.store.database.read() as connection:
        of_people = [*some_people(connection, workspace, LOOKED_AT)]
        events = [*some_events(connection, workspace, LOOKED_AT)]
        things = [*some_objects(connection, workspace, LOOKED_AT)]
        joining = [*some_relationships(connection, workspace, LOOKED_AT)]
    own = [KnownAttribute(name, "text") for name in IDENTIFIERS]
    return AudienceChoices(
        [*own, *_attributes(of_people, with_values=with_values)],
        _things(events, with_values=with_values),
        _things(things, with_values=with_values),
        _attributes(joining, with_values=with_values),
        sorted(one.name for one in segments.list_segments(workspace)),
    )


def _things(found: Iterable[Example], *, with_values: bool) -> list[KnownThing]:
    by_name: dict[tuple[str, str], list[Example]] = {}
    for one in found:
        by_name.setdefault((one.kind, one.name), []).append(one)
    return [
        KnownThing(kind, name, _attributes(some, with_values=with_values))
        for (kind, name), some in sorted(by_name.items())[:MOST_NAMES]
    ]


def _attributes(found: Iterable[Example], *, with_values: bool) -> list[KnownAttribute]:
    types: dict[str, Counter[Type]] = {}
    values: dict[str, Counter[str]] = {}
    for one in found:
        for name, value in json.loads(one.values).items():
            types.setdefault(name, Counter())[_type(value)] += 1
            told = values.setdefault(name, Counter())
            told.update(json.dumps(each) for each in _scalars(value))
    return [
        KnownAttribute(
            name,
            types[name].most_common(1)[0][0],
            [json.loads(one) for one, _ in values[name].most_common(MOST_VALUES)]
            if with_values
            else (),
        )
        for name in sorted(types)[:MOST_NAMES]
    ]


def _type(value: Any) -> Type:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list):
        return "list"
    if isinstance(value, str):
        return "date" if _DAY.fullmatch(value) else "text"
    return "other"


def _scalars(value: Any) -> list[Scalar]:
    """Return the values that a test may name: a short one, or the elements of a list."""
    found = value if isinstance(value, list) else [value]
    return [
        one
        for one in found
        if (isinstance(one, int | float) or (isinstance(one, str) and one))
        and len(str(one)) <= LONGEST_VALUE
    ]
