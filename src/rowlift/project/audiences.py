"""audiences/NAME.yml as people write them: who belongs to an audience."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    StrictInt,
    WithJsonSchema,
    model_validator,
)

from rowlift.core.audiences import (
    WHOLE,
    AudienceSpec,
    Condition,
    Did,
    Inside,
    Joined,
    Limit,
    Rank,
    Related,
    Scalar,
    Share,
    Test,
    TestName,
    Valued,
    circle,
    is_dated,
    parts,
)
from rowlift.core.specs import SyncSpec
from rowlift.project.models import (
    Column,
    Description,
    FileModel,
    Name,
    ObjectType,
    Seconds,
    SegmentName,
)
from rowlift.project.problems import listed

MOST_CONDITIONS = 200
MOST_LEVELS = 12
MOST_PARTS = 20
_DIGITS = 15  # as many as a number of the canonical form has
_MOST_TIMES = 1_000_000
_MINUTE, _HOUR = 60, 3600


def _scalar(value: object) -> Scalar:
    if isinstance(value, bool | str | int | float):
        if isinstance(value, str) and not value:
            raise ValueError("cannot be an empty text: ask for missing or present")
        return value if isinstance(value, bool | str) else _number(value)
    raise ValueError("must be a text, a number, true or false")


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number without quotes")  # noqa: TRY004
    plain = f"{value:.{_DIGITS}g}"
    if float(plain) != value or plain in {"inf", "-inf", "nan"}:
        raise ValueError(f"must be a number of at most {_DIGITS} digits")
    return value


def _percent(value: object) -> float:
    number = _number(value)
    if not 0 < number <= 100 or round(number, 2) != number:  # noqa: PLR2004
        raise ValueError("must be a number of percent above 0 and up to 100, such as 12.5")
    return float(number)


def _part(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a text of at least one character: put it in quotes")
    return value


def _moment(value: object) -> str:
    """Return a moment in UTC as the canonical form writes it."""
    try:
        moment = datetime.fromisoformat(str(value))
        return (
            moment.astimezone(UTC).replace(tzinfo=None).isoformat()
            if moment.tzinfo
            else (moment.isoformat())
        )
    except (ValueError, OverflowError):
        text = "must be a date or a moment, for example 2026-11-21 or 2026-11-21T08:00"
        raise ValueError(text) from None


def _seldom(seconds: int) -> int:
    if seconds < _MINUTE:
        raise ValueError("must be 1m or more")
    return seconds


def _attribute(text: str) -> str:
    if set(text) & {'"', "\\"}:
        raise ValueError('cannot hold " or \\: give the column another name in its query')
    return text


def _only_true(value: object) -> object:
    if value is not True:
        raise ValueError("can be true only; for the opposite write the other one of the two")
    return value


ScalarValue = Annotated[
    Any,
    PlainValidator(_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
Number = Annotated[float, PlainValidator(_number), WithJsonSchema({"type": "number"})]
Part = Annotated[str, PlainValidator(_part), WithJsonSchema({"type": "string", "minLength": 1})]
Moment = Annotated[str, BeforeValidator(_moment), WithJsonSchema({"type": "string"})]
Attribute = Annotated[Column, AfterValidator(_attribute)]
Just = Annotated[
    bool | None, BeforeValidator(_only_true), WithJsonSchema({"type": "boolean", "const": True})
]

_FORMS = ("all", "any", "none", "attribute", "event", "related", "segment")
_TESTS: tuple[TestName, ...] = (
    "is", "is_not", "one_of", "contains", "starts_with", "ends_with", "more_than", "at_least",
    "less_than", "at_most", "since", "before", "within_last", "within_next", "present", "missing",
)  # fmt: skip
_BESIDE = {
    "attribute": frozenset[str](_TESTS),
    "event": frozenset({"type", "at_least", "at_most", "within_last", "where"}),
    "related": frozenset({"where", "relationship"}),
}


class ConditionFile(FileModel):
    """One condition: on an attribute, an event, a relationship or a segment, or several joined."""

    all: list["ConditionFile"] | None = Field(None, description="Conditions that all hold.")
    any: list["ConditionFile"] | None = Field(
        None, description="Conditions of which one holds at least."
    )
    none: list["ConditionFile"] | None = Field(None, description="Conditions none of which holds.")
    attribute: Attribute | None = Field(
        None, description="The attribute, or id or email, that passes the tests beside it."
    )
    event: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        None, description="The event that happened, at least once unless it is said."
    )
    related: ObjectType | None = Field(
        None,
        description="The type of an object that the person has a relationship with; 1: account.",
    )
    segment: SegmentName | None = Field(
        None, description="The segment or audience that the person is in."
    )
    is_: ScalarValue | None = Field(None, alias="is", description="It is this value.")
    is_not: ScalarValue | None = Field(
        None, description="It is not this value: another one, or missing."
    )
    one_of: Annotated[list[ScalarValue], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="It is one of these values."
    )
    contains: ScalarValue | None = Field(
        None, description="It is a text with this text in it, or a list with this element."
    )
    starts_with: Part | None = Field(None, description="It is a text that begins so.")
    ends_with: Part | None = Field(None, description="It is a text that ends so.")
    more_than: Number | None = Field(None, description="It is a number above this one.")
    at_least: Number | None = Field(
        None, description="It is a number, or an event happened so many times, and not below."
    )
    less_than: Number | None = Field(None, description="It is a number below this one.")
    at_most: Number | None = Field(
        None, description="It is a number, or an event happened so many times, and not above."
    )
    since: Moment | None = Field(None, description="It is this date or moment in UTC, or later.")
    before: Moment | None = Field(None, description="It is earlier than this date or moment.")
    within_last: Seconds | None = Field(
        None, description="It lies, or the event happened, within so long up to now: 30d."
    )
    within_next: Seconds | None = Field(None, description="It lies within so long from now: 7d.")
    present: Just = Field(None, description="It has a value: true.")
    missing: Just = Field(None, description="It has no value: true.")
    type: Literal["track", "page", "screen"] | None = Field(
        None, description="The type of the event: track."
    )
    where: "ConditionFile | None" = Field(
        None, description="What holds for the event's properties, or the object's attributes."
    )
    relationship: "ConditionFile | None" = Field(
        None, description="What holds for the attributes of the relationship itself."
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = self.model_fields_set
        forms = [one for one in _FORMS if one in given]
        if len(forms) != 1:
            which = f"has {listed(forms, 'and')}" if forms else "has none of them"
            raise ValueError(f"needs one of {listed(_FORMS)}, and {which}")
        (form,) = forms
        named = {"is" if one == "is_" else one for one in given} - {form}
        if extra := sorted(named - _BESIDE.get(form, frozenset())):
            raise ValueError(f"cannot have {listed(extra, 'and')} beside {form}")
        if form == "attribute" and not named:
            raise ValueError("needs a test beside attribute, for example is: pro")
        if form == "event":
            self._count()
        return self

    def _count(self) -> None:
        for name in ("at_least", "at_most"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int) and 0 <= value <= _MOST_TIMES):
                raise ValueError(f"needs {name} to be a whole number beside event")

    def condition(self) -> Condition:
        """Return what was written."""
        for join in ("all", "any", "none"):
            found: list[ConditionFile] | None = getattr(self, join)
            if found is not None:
                return Joined(join, tuple(one.condition() for one in found))
        if self.attribute is not None:
            return Valued(self.attribute, self._tests())
        if self.event is not None:
            return self._did(self.event)
        if self.related is not None:
            return Related(self.related, _inner(self.where), _inner(self.relationship))
        return Inside(self.segment or "")

    def _tests(self) -> tuple[Test, ...]:
        tests = []
        for name in _TESTS:
            value = getattr(self, "is_" if name == "is" else name)
            if value is not None:
                tests.append(Test(name, tuple(value) if isinstance(value, list) else value))
        return tuple(tests)

    def _did(self, event: str) -> Did:
        least, most = self.at_least, self.at_most
        return Did(
            event,
            self.type or "track",
            at_least=int(least) if least is not None else 0 if most is not None else 1,
            at_most=None if most is None else int(most),
            within_last=self.within_last,
            where=_inner(self.where),
        )


def _inner(file: ConditionFile | None) -> Condition | None:
    return None if file is None else file.condition()


class LimitFile(FileModel):
    """The first so many people."""

    most: Annotated[StrictInt, Field(ge=1)] = Field(description="How many people at most.")
    by: Attribute = Field(description="The attribute whose number puts people in order.")
    order: Literal["highest", "lowest"] = Field("highest", description="Which come first.")


class RankFile(FileModel):
    """A place among audiences that have nobody in common."""

    name: Name = Field(description="The waterfall's name, which its audiences share.")
    place: Annotated[StrictInt, Field(ge=1, le=1000)] = Field(
        description="Whoever belongs to several is in the one with the lowest place."
    )


class AudienceFile(FileModel):
    """audiences/NAME.yml: people who meet conditions, kept current by themselves."""

    audience: Name = Field(description="The audience's name.")
    description: Description = Field("", description="What the audience is for.")
    renamed_from: Name | None = Field(
        None, description="The audience's former name; it keeps its people."
    )
    where: ConditionFile = Field(description="The condition that people in it meet.")
    exclude: ConditionFile | None = Field(None, description="Whom to leave out.")
    limit: LimitFile | None = Field(None, description="How many people at most, and which.")
    waterfall: RankFile | None = Field(
        None, description="Audiences of which everybody is in one at most, in an order."
    )
    split: dict[Name, Annotated[float, PlainValidator(_percent)]] = Field(
        default_factory=dict,
        description="Parts by name, each with its percent of the people; who is in which part "
        "stays the same. A part is an audience of its own: NAME.PART.",
        max_length=MOST_PARTS,
    )
    every: Annotated[Seconds, AfterValidator(_seldom)] | None = Field(
        None,
        description="How often it is looked at again because time passes, 1m at least: 1h where "
        "a condition asks for the last or next days, else never. What changes people, events or "
        "segments lets it be looked at anyway.",
    )

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        spec = self.spec()
        for condition in (spec.where, spec.exclude):
            if condition is None:
                continue
            count, levels = _size(condition)
            if count > MOST_CONDITIONS:
                raise ValueError(f"has {count} conditions: at most {MOST_CONDITIONS}")
            if levels > MOST_LEVELS:
                raise ValueError(f"has conditions {levels} levels deep: at most {MOST_LEVELS}")
            _check_inner(condition)
        if (whole := sum(one.size for one in spec.split)) > WHOLE:
            raise ValueError(f"is split into {whole * 100 / WHOLE:g} %: at most 100")
        return self

    def _shares(self) -> tuple[Share, ...]:
        found: list[Share] = []
        for name, percent in self.split.items():
            before = found[-1].since + found[-1].size if found else 0
            found.append(Share(name, before, round(percent * WHOLE / 100)))
        return tuple(found)

    def spec(self) -> AudienceSpec:
        """Return what the file declares."""
        first, rank = self.limit, self.waterfall
        return AudienceSpec(
            name=self.audience,
            where=self.where.condition(),
            exclude=_inner(self.exclude),
            limit=None if first is None else Limit(first.most, first.by, first.order),
            every=self.every or self._usual(),
            description=self.description,
            renamed_from=self.renamed_from,
            rank=None if rank is None else Rank(rank.name, rank.place),
            split=self._shares(),
        )

    def _usual(self) -> int | None:
        asked = (self.where, *filter(None, (self.exclude,)))
        return _HOUR if any(is_dated(one.condition()) for one in asked) else None


def quarrels(
    spec: AudienceSpec, audiences: Mapping[str, AudienceSpec], syncs: Iterable[SyncSpec]
) -> Iterator[tuple[str, str, str]]:
    """Yield why an audience cannot be beside other audiences and syncs: code, text and mend."""
    for sync in syncs:
        if sync.segment and sync.segment.name == spec.name:
            text = f"The sync {sync.name} puts people into the segment {spec.name}, whose members "
            text += "would be computed."
            yield "NAME_TWICE", text, "Give the audience, or the sync's segment, another name."
    for name, other in audiences.items():
        if spec.rank and other.rank == spec.rank and name < spec.name:
            text = f"{name} and {spec.name} are both at place {spec.rank.place} of the waterfall "
            text += f"{spec.rank.waterfall}."
            yield "VALUE_WRONG", text, "Give one of them another place."
    way = circle(spec.name, audiences)
    if way:
        text = f"The audience is made from itself: {' → '.join(way)}."
        yield "AUDIENCE_CYCLE", text, "Leave one of these segments out of a condition."


def _size(condition: Condition) -> tuple[int, int]:
    sizes = [_size(one) for one in parts(condition)]
    return 1 + sum(count for count, _ in sizes), 1 + max((levels for _, levels in sizes), default=0)


def _check_inner(condition: Condition, *, inside: str = "") -> None:
    """Raise ValueError where a condition on an event or an object asks for more than its values."""
    if inside and isinstance(condition, Did | Related | Inside):
        raise ValueError(f"asks inside {inside} for something else than its own values")
    below = {Did: "an event", Related: "a relationship"}.get(type(condition), inside)
    for one in parts(condition):
        _check_inner(one, inside=below)
