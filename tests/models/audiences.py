"""Who belongs to an audience, by the words of the documentation, one person after the other.

Nothing of `rowlift` is imported: conditions are what stands in YAML, people are plain mappings
with `attributes`, `events`, `objects` and `segments`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
DAY = re.compile(r"\d{4}-\d\d-\d\d(T.*)?", re.DOTALL | re.ASCII)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Person = Mapping[str, Any]


def belongs(person: Person, audience: Mapping[str, Any], now: datetime) -> bool:
    """Tell whether somebody meets `where` and not `exclude`."""
    excluded = audience.get("exclude")
    return holds(person, audience["where"], now) and not (excluded and holds(person, excluded, now))


def holds(person: Person, condition: Mapping[str, Any], now: datetime) -> bool:
    """Tell whether a condition holds for somebody."""
    if "all" in condition:
        return all(holds(person, one, now) for one in condition["all"])
    if "any" in condition:
        return any(holds(person, one, now) for one in condition["any"])
    if "none" in condition:
        return not any(holds(person, one, now) for one in condition["none"])
    if "segment" in condition:
        return condition["segment"] in person["segments"]
    if "event" in condition:
        return _did(person, condition, now)
    if "related" in condition:
        return any(_is_meant(one, condition, now) for one in person["objects"])
    return _passes(_value(person, condition["attribute"]), condition, now)


def _value(person: Person, name: str) -> Any:
    own = person.get("identifiers", {})
    return own[name] if name in own else person["attributes"].get(name)


def _span(duration: str) -> timedelta:
    return timedelta(seconds=int(duration[:-1]) * UNITS[duration[-1]])


def _did(person: Person, condition: Mapping[str, Any], now: datetime) -> bool:
    found = [
        one
        for one in person["events"]
        if one["name"] == condition["event"] and one["type"] == condition.get("type", "track")
    ]
    if "within_last" in condition:
        since = (now - _span(condition["within_last"])).timestamp()
        found = [one for one in found if since <= one["at"] <= now.timestamp()]
    if "where" in condition:
        found = [
            one
            for one in found
            if holds({"attributes": one["properties"]}, condition["where"], now)
        ]
    least = condition.get("at_least", 0 if "at_most" in condition else 1)
    return least <= len(found) <= condition.get("at_most", len(found))


def _is_meant(one: Mapping[str, Any], condition: Mapping[str, Any], now: datetime) -> bool:
    thing = {"attributes": one["attributes"], "identifiers": {"object_id": one["object_id"]}}
    return (
        one["type"] == str(condition["related"])
        and ("where" not in condition or holds(thing, condition["where"], now))
        and (
            "relationship" not in condition
            or holds({"attributes": one["relationship"]}, condition["relationship"], now)
        )
    )


def _passes(value: Any, tests: Mapping[str, Any], now: datetime) -> bool:
    return all(
        _test(value, name, wanted, now) for name, wanted in tests.items() if name != "attribute"
    )


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return _is_number(value) == _is_number(wanted) and bool(value == wanted)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _test(value: Any, name: str, wanted: Any, now: datetime) -> bool:
    match name:
        case "is" | "is_not":
            return _same(value, wanted) == (name == "is")
        case "one_of":
            return any(_same(value, one) for one in wanted)
        case "present" | "missing":
            return (value is None) == (name == "missing")
        case "contains" if isinstance(value, list):
            return any(_same(one, wanted) for one in value)
        case "contains" | "starts_with" | "ends_with":
            return isinstance(value, str) and isinstance(wanted, str) and _text(value, name, wanted)
        case "more_than" | "at_least" | "less_than" | "at_most":
            return _is_number(value) and _compares(value, name, wanted)
    return _lies(value, name, wanted, now)


def _text(value: str, name: str, wanted: str) -> bool:
    if name == "contains":
        return wanted in value
    return value.startswith(wanted) if name == "starts_with" else value.endswith(wanted)


def _compares(value: float, name: str, wanted: float) -> bool:
    answers = {
        "more_than": value > wanted,
        "at_least": value >= wanted,
        "less_than": value < wanted,
        "at_most": value <= wanted,
    }
    return answers[name]


def _lies(value: Any, name: str, wanted: str, now: datetime) -> bool:
    moment = _moment(value)
    if moment is None:
        return False
    if name in {"since", "before"}:
        bound = _seconds_of(datetime.fromisoformat(wanted))
        return moment >= bound if name == "since" else moment < bound
    at, span = _seconds_of(now), Fraction(_span(wanted).total_seconds())
    if name == "within_last":
        return at - span <= moment <= at
    is_today = value == now.date().isoformat()
    return (at <= moment or is_today) and moment < at + span


def _moment(value: Any) -> Fraction | None:
    if _is_number(value):
        return Fraction(str(value))
    if not isinstance(value, str) or not DAY.fullmatch(value):
        return None
    return _seconds_of(datetime.fromisoformat(value))


def _seconds_of(moment: datetime) -> Fraction:
    """Return Unix seconds; a moment without a zone is one in UTC."""
    whole = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Fraction((whole - EPOCH) // timedelta(microseconds=1), 1_000_000)
