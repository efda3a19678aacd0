"""The form of an audience and the document that it stands for, one way and the other.

Fields are called by the place of their row: `where-0-1:name` is what the second condition of the
first group asks for. Keys that the form does not show stay as they are.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from pydantic import ValidationError

from rowlift.core.audiences import AudienceSpec, Join, TestName
from rowlift.core.errors import ConfigError
from rowlift.project.audiences import MOST_CONDITIONS, MOST_LEVELS, AudienceFile
from rowlift.web.pages.condition_moves import act
from rowlift.web.pages.condition_rows import (
    JOINS,
    LEAVES,
    MANY,
    PLAIN,
    TESTS,
    Group,
    Leaf,
    NotRows,
    Row,
    TestRow,
    document,
    group,
    new,
    rows,
    scalar,
    text,
    text_word,
    word,
)

MOST_VALUES = 100  # of one test that the form shows
NOBODY = Group(bare=True)
_ROOTS = ("where", "exclude")
_SHOWN = {"audience", "description", "where", "exclude", "limit", "waterfall", "split", "every"}


class Fields(Protocol):
    """What a form sent: the last value of a name, or all of them."""

    def get(self, key: str, /) -> Any: ...
    def getlist(self, key: str) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class AudienceForm:
    """What stands in the fields; `rest` are the keys without one."""

    where: Group
    exclude: Group = NOBODY
    description: str = ""
    most: str = ""
    by: str = ""
    order: str = "highest"
    waterfall: str = ""
    place: str = ""
    split: tuple[tuple[str, str], ...] = ()
    every: str = ""
    rest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_more(self) -> bool:
        """Tell whether anything but conditions is asked for."""
        return any((self.most, self.by, self.waterfall, self.place, self.split, self.every))

    @property
    def shares(self) -> list[tuple[str, str]]:
        """Return the parts, and places for more of them."""
        return [*self.split, *[("", "")] * max(1, 3 - len(self.split))]


def beginning() -> AudienceForm:
    """Return the form of an audience that nobody has written anything of."""
    return AudienceForm(group("all", [new("attribute")], bare=True))


def read(form: Fields) -> AudienceForm:
    """Return what a form has in its fields; raises ConfigError where rows are too deep."""
    where, exclude = (_group(form, root, 0) for root in _ROOTS)
    parts = zip(form.getlist("part"), form.getlist("percent"), strict=False)
    split = [(str(name).strip(), str(percent).strip()) for name, percent in parts]
    rest = _json(_text(form, "rest"))
    return AudienceForm(
        where, exclude, _text(form, "description").replace("\r\n", "\n"),
        _text(form, "most").strip(), _text(form, "by").strip(),
        "lowest" if form.get("order") == "lowest" else "highest",
        _text(form, "waterfall").strip(), _text(form, "place").strip(),
        tuple(one for one in split if any(one)),
        _text(form, "every").strip(),
        {key: value for key, value in rest.items() if key not in _SHOWN},
    )  # fmt: skip


def written(form: AudienceForm) -> dict[str, Any]:
    """Return the document; raises ConfigError where two parts have one name."""
    where, exclude = document(form.where), document(form.exclude)
    told = {**form.rest} | ({"description": form.description} if form.description else {})
    told["where"] = {"all": []} if where is None else where
    told |= {} if exclude is None else {"exclude": exclude}
    if form.most or form.by:
        order = {"order": form.order} if form.order != "highest" else {}
        told["limit"] = {"most": scalar(form.most), "by": text(form.by), **order}
    if form.waterfall or form.place:
        told["waterfall"] = {"name": form.waterfall, "place": scalar(form.place)}
    if form.split:
        told["split"] = split = {name: scalar(percent) for name, percent in form.split}
        if len(split) < len(form.split):
            told_twice = "Two parts of the split have the same name."
            raise ConfigError("VALUE_WRONG", told_twice, mend="Give one of them another name.")
    return told | ({"every": form.every} if form.every else {})


def shown(told: Mapping[str, Any]) -> AudienceForm:
    """Return the form of a document; raises NotRows where it would say something else."""
    limit, rank, split = (_map(told, key) for key in ("limit", "waterfall", "split"))
    if limit.keys() - {"most", "by", "order"} or rank.keys() - {"name", "place"}:
        raise NotRows
    found = AudienceForm(
        rows(told.get("where")), rows(told.get("exclude")), str(told.get("description", "")),
        _word(limit, "most"), text_word(limit.get("by", "")), str(limit.get("order", "highest")),
        str(rank.get("name", "")), _word(rank, "place"),
        tuple((str(name), word(percent)) for name, percent in split.items()),
        str(told.get("every", "")), {key: one for key, one in told.items() if key not in _SHOWN},
    )  # fmt: skip
    is_there = (
        "where" in told
        and "\r" not in found.description
        and _fits(found.where)
        and _fits(found.exclude)
    )
    if not is_there or not _same(written(found), told):
        raise NotRows
    return found


def is_filled(form: AudienceForm) -> bool:
    """Tell whether every row says what it asks for; before, nobody can be meant."""
    return _is_filled(form.where) and _is_filled(form.exclude)


def _is_filled(node: Row | Group | None) -> bool:
    if isinstance(node, Group):
        return all(_is_filled(one) for one in node.of)
    if node is None:
        return True
    tests = all(one.name in PLAIN or any(map(str.strip, one.values)) for one in node.tests)
    inner = _is_filled(node.where) and _is_filled(node.relationship)
    return bool(node.name.strip()) and tests and inner


def pressed(form: AudienceForm, button: str) -> tuple[AudienceForm, str]:
    """Return the form after one of its buttons, and the field to go on at.

    A button is called by what it does, where, and with what: `add where-0 event`.
    """
    what, _, rest = button.partition(" ")
    place, _, more = rest.partition(" ")
    root = place.partition("-")[0]
    if root not in _ROOTS:
        return form, ""
    before = form.where if root == "where" else form.exclude
    after, at = act(before, root, what, place, more)
    return replace(form, where=after) if root == "where" else replace(form, exclude=after), at


def _group(form: Fields, place: str, level: int) -> Group:
    if level > MOST_LEVELS:
        deep = f"Conditions are more than {MOST_LEVELS} levels deep."
        raise ConfigError("VALUE_WRONG", deep, mend="Put some of them into an audience of its own.")
    found: list[Row | Group] = []
    while (kind := form.get(f"{place}-{len(found)}:form")) and len(found) < MOST_CONDITIONS:
        at = f"{place}-{len(found)}"
        found.append(_group(form, at, level + 1) if kind == "group" else _row(form, at, level))
    join: Join = next((one for one in JOINS if one == form.get(f"{place}:join")), "all")
    return group(join, found, bare=bool(form.get(f"{place}:bare")))


def _row(form: Fields, at: str, level: int) -> Row:
    kind: Leaf = next((one for one in LEAVES if one == form.get(f"{at}:form")), "attribute")
    name = _text(form, f"{at}:name")
    if kind == "attribute":
        tests = list[TestRow]()
        while (test := form.get(f"{at}:test-{len(tests)}")) and len(tests) < MOST_CONDITIONS:
            values = tuple(map(str, form.getlist(f"{at}:value-{len(tests)}")))
            named: TestName = next((one for one in TESTS if one == test), "is")
            tests.append(TestRow(named, _values(named, values)))
        return Row("attribute", name, tuple(tests) or (TestRow(),))
    if kind == "segment":
        return Row(kind, name)
    where = _group(form, f"{at}-where", level + 1)
    if kind == "related":
        joining = _group(form, f"{at}-relationship", level + 1)
        return Row(kind, name, where=where, relationship=joining)
    keys = ("type", "at_least", "at_most", "within_last")
    kind_of, least, most, within = (_text(form, f"{at}:{key}") for key in keys)
    return Row(kind, name, (), kind_of, least, most, within, where)


def _values(test: TestName, typed: Sequence[str]) -> tuple[str, ...]:
    filled = tuple(one for one in typed if one.strip())
    if test in PLAIN:
        return ()
    return filled if test == MANY else filled[:1] or ("",)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two documents are one, or mean the same."""
    return one == other or (_spec(one) is not None and _spec(one) == _spec(other))


def _spec(told: Mapping[str, Any]) -> AudienceSpec | None:
    try:
        return AudienceFile.model_validate({**told, "audience": "any"}).spec()
    except ValidationError:
        return None


def _fits(node: Row | Group | None) -> bool:
    """Tell whether a form would have room for all values."""
    if isinstance(node, Group):
        return all(_fits(one) for one in node.of)
    if node is None:
        return True
    fits = all(len(one.values) <= MOST_VALUES for one in node.tests)
    return fits and _fits(node.where) and _fits(node.relationship)


def _text(form: Fields, name: str) -> str:
    found = form.get(name)
    return found if isinstance(found, str) else ""


def _json(told: str) -> Mapping[str, Any]:
    try:
        found = json.loads(told or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _map(told: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = told.get(key, {})
    if not isinstance(found, Mapping):
        raise NotRows
    return found


def _word(told: Mapping[str, Any], key: str) -> str:
    return word(told[key]) if key in told else ""
