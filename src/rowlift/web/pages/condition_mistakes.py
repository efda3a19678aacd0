"""What is wrong with an audience's document, each thing at the field of the form it stands for."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rowlift.core.errors import RowliftError
from rowlift.project.problems import Problem, ProjectInvalid
from rowlift.web.pages.condition_rows import Group, Node, Row

_FIELDS = {
    "limit.most": "most", "limit.by": "by", "waterfall.name": "waterfall",
    "waterfall.place": "place", "every": "every", "description": "description",
}  # fmt: skip
_OF_EVENTS = frozenset({"at_least", "at_most", "within_last", "type"})
_STEP = re.compile(r"\.?([a-z_]+)(?:\[([0-9]+)\])?")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong, at the field with an id."""

    field: str
    message: str
    mend: str
    code: str


def mistakes(error: RowliftError, roots: Mapping[str, Group]) -> list[Mistake]:
    """Return what an operation refused a form for, without what has no field; one for a field."""
    rows = {path: found for key, root in roots.items() for path, found in _group(root, key, key)}
    told = [*_of_rows(error, rows)] if isinstance(error, ProjectInvalid) else []
    told = told or [*_of_segments(error, rows)]
    return [*{one.field: one for one in reversed(told)}.values()][::-1]


def _of_rows(error: ProjectInvalid, rows: "_Rows") -> Iterator[Mistake]:
    for one in error.problems:
        path = _path(one)
        field = _FIELDS.get(path) or _field(path, rows)
        if field:
            text = one.message.removeprefix(f"{path} ")
            yield Mistake(field, text[:1].upper() + text[1:], one.mend, one.code)


def _of_segments(error: RowliftError, rows: "_Rows") -> Iterator[Mistake]:
    """Yield the rows that ask for a segment which is not there."""
    for at, row in rows.values():
        is_named = row.form == "segment" and f'segment "{row.name}"' in str(error.message)
        if error.code == "NAME_UNKNOWN" and is_named:
            yield Mistake(f"{at}-name", str(error.message), error.mend, error.code)


_Rows = Mapping[str, tuple[str, Row]]


def _path(one: Problem) -> str:
    return (one.place.path if one.place else "").partition(", ")[2]


def _field(path: str, rows: _Rows) -> str:
    """Return the id of the field that a path leads to, or to the row around it."""
    around = [one for one in rows if path == one or path.startswith((f"{one}.", f"{one}["))]
    if not around:
        return ""
    nearest = max(around, key=len)
    at, row = rows[nearest]
    step = _STEP.match(path, len(nearest))
    key, number = (step[1], int(step[2] or 1)) if step else ("", 1)
    tests = [test.name for test in row.tests]
    if row.form == "attribute" and key in tests:
        return f"{at}-value-{[*map(str, tests)].index(key)}-{number - 1}"
    is_of_event = row.form == "event" and key in _OF_EVENTS
    return f"{at}-{key if is_of_event else 'name'}"


def _group(group: Group, path: str, at: str) -> Iterator[tuple[str, tuple[str, Row]]]:
    """Yield the rows of a group by their paths in the document, with their places in the form."""
    for index, one in enumerate(group.of):
        inside = path if group.bare else f"{path}.{group.join}[{index + 1}]"
        yield from _node(one, inside, f"{at}-{index}")


def _node(node: Node, path: str, at: str) -> Iterator[tuple[str, tuple[str, Row]]]:
    if isinstance(node, Group):
        yield from _group(node, path, at)
        return
    yield path, (at, node)
    names = [test.name for test in node.tests]
    if len({*names}) < len(names):  # a test that is there twice makes several conditions
        yield from ((f"{path}.all[{1 + one}]", (at, node)) for one in range(len(names)))
    for key, inner in (("where", node.where), ("relationship", node.relationship)):
        if inner is not None:
            yield from _group(inner, f"{path}.{key}", f"{at}-{key}")
