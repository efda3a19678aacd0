"""Audiences as sentences: what a definition means, for whoever does not read YAML."""

from collections.abc import Iterable

from rowlift.core.audiences import (
    WHOLE,
    AudienceSpec,
    Condition,
    Did,
    Inside,
    Joined,
    Limit,
    Related,
    Scalar,
    Test,
    Valued,
)
from rowlift.project.problems import listed
from rowlift.project.units import duration

_TESTS = {
    "is": "is {}",
    "is_not": "is not {}",
    "one_of": "is one of {}",
    "contains": "contains {}",
    "starts_with": "starts with {}",
    "ends_with": "ends with {}",
    "more_than": "is more than {}",
    "at_least": "is at least {}",
    "less_than": "is less than {}",
    "at_most": "is at most {}",
    "since": "is {} or later",
    "before": "is before {}",
    "within_last": "lies in the last {}",
    "within_next": "lies in the next {}",
    "present": "is known",
    "missing": "is not known",
}
_SPANS = frozenset({"within_last", "within_next"})
_UNITS = {"w": "week", "d": "day", "h": "hour", "m": "minute", "s": "second"}
_DID = {"track": "who did {}", "page": "who saw the page {}", "screen": "who saw the screen {}"}


def sentence(spec: AudienceSpec) -> str:
    """Return whom an audience means, as one sentence."""
    if spec.share:
        percent = f"{spec.share.size * 100 / WHOLE:g} % of the people"
        return f"{percent} {_clause(spec.where)}, always the same ones."
    text, out = f"People {_clause(spec.where)}", spec.left_out
    if out is not None:
        text += f", but not those {_clause(out)}"
    parts = [f"{one.name} ({one.size * 100 / WHOLE:g} %)" for one in spec.split]
    split = f"; split into {listed(parts, 'and')}" if parts else ""
    return f"{text}{_limit(spec.limit)}{split}."


def _clause(condition: Condition, *, inner: bool = False) -> str:
    """Return what follows "people", or with `inner` what follows what was named before."""
    match condition:
        case Valued(attribute=name, tests=tests):
            tested = " and ".join(_test(one) for one in tests)
            return f"{name} {tested}" if inner else f"whose {name} {tested}"
        case Did():
            return _did(condition)
        case Related():
            return _related(condition)
        case Inside(segment=name):
            return f"who are in {_quoted(name)}"
        case Joined(join=join, of=of):
            return _joined(join, [_part(one, inner=inner) for one in of], inner=inner)


def _part(condition: Condition, *, inner: bool) -> str:
    text = _clause(condition, inner=inner)
    is_list = isinstance(condition, Joined) and len(condition.of) > 1
    return f"({text})" if is_list else text


def _joined(join: str, told: list[str], *, inner: bool) -> str:
    if not told:
        nobody = join == "any"
        return (
            ("that cannot be" if nobody else "anything holds")
            if inner
            else ("of whom there are none" if nobody else "of any kind")
        )
    if join == "all":
        return " and ".join(told)
    if join == "any":
        return " or ".join(told)
    return f"neither {' nor '.join(told)}" if len(told) > 1 else f"not {told[0]}"


def _test(test: Test) -> str:
    if test.name in _SPANS and isinstance(test.value, int):
        return _TESTS[test.name].format(_span(test.value))
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    return _TESTS[test.name].format(_any_of(_value(one) for one in values))


def _did(asked: Did) -> str:
    text = _DID[asked.type].format(_quoted(asked.event))
    if asked.at_most == 0:
        text = text.replace("who did", "who did not do").replace("who saw", "who did not see")
    elif asked.at_most is not None and asked.at_least:
        text += f" {asked.at_least:,} to {asked.at_most:,} times"
    elif asked.at_most is not None:
        text += f" at most {_times(asked.at_most)}"
    elif asked.at_least is not None and asked.at_least > 1:
        text += f" at least {_times(asked.at_least)}"
    if asked.within_last is not None:
        text += f" in the last {_span(asked.within_last)}"
    if asked.where is not None:
        text += f" with {_clause(asked.where, inner=True)}"
    return text


def _related(asked: Related) -> str:
    thing = "an account" if asked.type == "1" else f"a {asked.type}"
    text = f"who belong to {thing}"
    if asked.where is not None:
        text += f" with {_clause(asked.where, inner=True)}"
    if asked.relationship is not None:
        text += f" by a relationship with {_clause(asked.relationship, inner=True)}"
    return text


def _limit(limit: Limit | None) -> str:
    if limit is None:
        return ""
    return f"; the {limit.most:,} with the {limit.order} {limit.by}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _span(seconds: int) -> str:
    text = duration(seconds) if seconds else "0s"
    number, unit = int(text[:-1]), _UNITS[text[-1]]
    return unit if number == 1 else f"{number:,} {unit}s"


def _value(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return (
        _quoted(value)
        if isinstance(value, str)
        else f"{value:,}"
        if isinstance(value, int)
        else repr(value)
    )


def _quoted(text: str) -> str:
    return f"“{text}”"


def _any_of(values: Iterable[str]) -> str:
    *rest, last = values
    return f"{', '.join(rest)} or {last}" if rest else last
