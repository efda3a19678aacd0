"""What may stand in the fields of conditions, by what they are asked of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rowlift.core.audiences import TestName
from rowlift.operations.suggesting import AudienceChoices, KnownAttribute, Type
from rowlift.web.pages.condition_rows import TESTS, NotRows, word

PERSON, RELATIONSHIP = "person", "relationship"
MOST_EVENTS = 40  # whose properties are suggested
TEST_WORDS: Mapping[TestName, str] = {
    "is": "is", "is_not": "is not", "one_of": "is one of", "contains": "contains",
    "starts_with": "starts with", "ends_with": "ends with", "more_than": "is more than",
    "at_least": "is at least", "less_than": "is less than", "at_most": "is at most",
    "since": "is this day or later", "before": "is before", "within_last": "lies in the last",
    "within_next": "lies in the next", "present": "is known", "missing": "is not known",
}  # fmt: skip
_ANY: tuple[TestName, ...] = ("present", "missing")
_TESTS_OF: Mapping[Type, tuple[TestName, ...]] = {
    "text": ("is", "is_not", "one_of", "contains", "starts_with", "ends_with", *_ANY),
    "number": (
        "is", "is_not", "one_of", "more_than", "at_least", "less_than", "at_most", *_ANY,
    ),
    "date": ("is", "is_not", "since", "before", "within_last", "within_next", *_ANY),
    "boolean": ("is", "is_not", *_ANY),
    "list": ("contains", *_ANY),
    "other": _ANY,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suggested:
    """An attribute: the tests that suit it, and where values for it are listed."""

    name: str
    type: str
    tests: Sequence[TestName]
    list: str
    values: Sequence[str]


@dataclass(frozen=True, slots=True)
class Scope:
    """The attributes of one kind of thing, and where their names are listed."""

    list: str
    attributes: Sequence[Suggested]

    def find(self, name: str) -> Suggested | None:
        """Return an attribute that is known."""
        return next((one for one in self.attributes if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Suggestions:
    """All that is suggested; `scopes` are by what an attribute is of."""

    scopes: Mapping[str, Scope]
    events: Sequence[str]
    types: Sequence[str]
    segments: Sequence[str]

    @property
    def tests(self) -> Sequence[tuple[TestName, str]]:
        """Return all tests with their words."""
        return [(name, TEST_WORDS[name]) for name in TESTS]

    def of(self, scope: str) -> Scope:
        """Return the attributes of a kind of thing; none are known of some."""
        return self.scopes.get(scope, Scope("", ()))


NO_SUGGESTIONS = Suggestions({}, (), (), ())


def suggestions(choices: AudienceChoices) -> Suggestions:
    """Return what is suggested of what conditions may ask for."""
    told = {PERSON: choices.attributes, RELATIONSHIP: choices.relationships}
    told |= {
        event_scope(one.type, one.name): one.attributes for one in choices.events[:MOST_EVENTS]
    }
    told |= {
        object_scope(one.name): [KnownAttribute("object_id", "text"), *one.attributes]
        for one in choices.objects
    }
    return Suggestions(
        {key: _scope(f"names-{at}", known) for at, (key, known) in enumerate(told.items())},
        sorted({one.name for one in choices.events}),
        [one.name for one in choices.objects],
        choices.segments,
    )


def event_scope(type_: str, name: str) -> str:
    """Return the scope of an event's properties."""
    return f"{type_ or 'track'} {name}"


def object_scope(type_: str) -> str:
    """Return the scope of the attributes of objects of a type."""
    return f"object {type_}"


def _scope(at: str, known: Sequence[KnownAttribute]) -> Scope:
    return Scope(
        at,
        [
            Suggested(
                one.name, one.type, _TESTS_OF[one.type],
                f"{at}-{index}" if one.values else "", [*map(_typed, one.values)],
            )
            for index, one in enumerate(known)
        ],
    )  # fmt: skip


def _typed(value: object) -> str:
    try:
        return word(value)
    except NotRows:
        return ""
