"""What pydantic found wrong, said in our words with the place in the file.

A value is shown only where no secret can stand; messages never repeat pydantic's own.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rowlift.core.errors import Place
from rowlift.core.spelling import did_you_mean
from rowlift.project.annotations import model_at
from rowlift.project.documents import Document, KeyPath
from rowlift.project.problems import Problem, listed, shown

_KINDS = {
    "bool": "must be true or false",
    "int": "must be a whole number without quotes",
    "float": "must be a number without quotes",
    "string": "must be text: put it in quotes",
    "list": "must be a list, for example [a, b]",
    "tuple": "must be a list, for example [a, b]",
    "dict": "must hold keys, for example {key: value}",
    "mapping": "must hold keys, for example {key: value}",
    "model": "must hold keys, for example {key: value}",
}
_KIND = re.compile(r"(bool|int|float|string|list|tuple|dict|mapping|model)_[a-z_]+")
_VERBS = ("must ", "is ", "has ", "needs ", "cannot ")
_LIMITS = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "is too short: at least {min_length} characters",
    "string_too_long": "is too long: at most {max_length} characters",
    "too_short": "needs at least {min_length} entries",
    "too_long": "has too many entries: at most {max_length}",
}


@dataclass(frozen=True, slots=True)
class Where:
    """How to find the place of a value or key, and whether its value may be shown."""

    value: Callable[[KeyPath], Place]
    key: Callable[[KeyPath], Place]
    shows: Callable[[KeyPath], bool]
    thing: str


def where(document: Document, thing: str) -> Where:
    """Return how to find things in a document."""
    return Where(document.place, document.key_place, lambda _: not document.private, thing)


def problems(
    error: ValidationError, model: type[BaseModel], where: Where
) -> Iterator[tuple[KeyPath, Problem]]:
    """Say each error with its path; one path is said once."""
    said: set[KeyPath] = set()
    for detail in error.errors(include_url=False):
        path, is_key = _path(detail["loc"])
        if path not in said:
            said.add(path)
            yield path, _problem(detail, path, is_key=is_key, model=model, where=where)


def _path(loc: Iterable[str | int]) -> tuple[KeyPath, bool]:
    path = tuple(loc)
    return (path[:-1], True) if path and path[-1] == "[key]" else (path, False)


def _problem(
    detail: ErrorDetails, path: KeyPath, *, is_key: bool, model: type[BaseModel], where: Where
) -> Problem:
    around = model_at(model, path[:-1])
    if detail["type"] == "missing":
        return _missing(path, around, where)
    if detail["type"] == "extra_forbidden":
        return _unknown(path, around, where)
    name = dotted(path) or where.thing
    place = where.key(path) if is_key else where.value(path)
    demand = _demand(detail)
    is_plain = isinstance(detail["input"], str | int | float)
    if is_plain and where.shows(path) and demand.startswith("must be"):
        demand += f"; it is {shown(detail['input'])}"
    joint = "" if demand.startswith(_VERBS) else ":"
    return Problem("VALUE_WRONG", f"{name}{joint} {demand}.{_nearest(detail)}", place=place)


def _missing(path: KeyPath, around: type[BaseModel] | None, where: Where) -> Problem:
    fields: Mapping[str, Any] = around.model_fields if around else {}
    field = fields.get(str(path[-1]))
    mend = f"Add {path[-1]}: {field.description}" if field and field.description else ""
    inside = dotted(path[:-1]) or where.thing
    text = f'The key "{path[-1]}" is missing in {inside}.'
    return Problem("KEY_MISSING", text, place=where.value(path[:-1]), mend=mend)


def _unknown(path: KeyPath, around: type[BaseModel] | None, where: Where) -> Problem:
    fields = around.model_fields if around else {}
    known = [one.alias or name for name, one in fields.items()]
    inside = dotted(path[:-1]) or where.thing
    hint = did_you_mean(path[-1], known)
    mend = f"Known keys: {', '.join(known)}." if known else ""
    text = f"{shown(str(path[-1]))} is not a known key of {inside}.{hint}"
    return Problem("KEY_UNKNOWN", text, place=where.key(path), mend=mend)


def _demand(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "value_error":
        return str(context["error"]).rstrip(".")
    if detail["type"] in {"literal_error", "enum"}:
        return f"must be {listed(_allowed(detail))}"
    if detail["type"] in _LIMITS:
        return _LIMITS[detail["type"]].format(**context)
    kind = _KIND.fullmatch(detail["type"])
    return _KINDS[kind[1]] if kind else "is not allowed here"


def _allowed(detail: ErrorDetails) -> list[str]:
    expected = str(detail.get("ctx", {}).get("expected", ""))
    return re.findall(r"'([^']*)'", expected) or [expected]


def _nearest(detail: ErrorDetails) -> str:
    if detail["type"] in {"literal_error", "enum"}:
        return did_you_mean(detail["input"], _allowed(detail))
    return ""


def dotted(path: KeyPath) -> str:
    """Return a path as people write it: destinations[1].removed, list entries from 1."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            plain = part if part.isprintable() and len(part) <= 64 else shown(part)  # noqa: PLR2004
            text += f".{plain}" if text else plain
    return text
