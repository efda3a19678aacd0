"""Conditions as rows of a form, and as the document that they stand for, one way and the other.

A value is typed as YAML would have it: 5 is a number, true is true, "5" a text. What is typed is
kept as it is, whatever is wrong with it: whether it means something is judged elsewhere.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rowlift.core.audiences import Join, TestName

Leaf = Literal["attribute", "event", "related", "segment"]
Root = Literal["where", "exclude"]

LEAVES: tuple[Leaf, ...] = ("attribute", "event", "related", "segment")
JOINS: tuple[Join, ...] = ("all", "any", "none")
PLAIN: tuple[TestName, ...] = ("present", "missing")  # ask for no value
MANY: TestName = "one_of"
_NUMBERS = frozenset({"more_than", "at_least", "less_than", "at_most"})
_SCALARS = frozenset({"is", "is_not", "contains", "one_of"})
TESTS: tuple[TestName, ...] = (
    "is", "is_not", "one_of", "contains", "starts_with", "ends_with", "more_than", "at_least",
    "less_than", "at_most", "since", "before", "within_last", "within_next", "present", "missing",
)  # fmt: skip

_LONGEST_NUMBER = 40
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_KEYS: Mapping[str, frozenset[str]] = {
    "attribute": frozenset({"attribute", *TESTS}),
    "event": frozenset({"event", "type", "at_least", "at_most", "within_last", "where"}),
    "related": frozenset({"related", "where", "relationship"}),
    "segment": frozenset({"segment"}),
}


class NotRows(Exception):
    """A document that rows would not show as it is."""


@dataclass(frozen=True, slots=True)
class TestRow:
    """A test and its values as they are typed; only `one_of` has more than one."""

    name: TestName = "is"
    values: tuple[str, ...] = ("",)


@dataclass(frozen=True, slots=True)
class Row:
    """One condition; what its kind does not have is empty."""

    form: Leaf = "attribute"
    name: str = ""
    tests: tuple[TestRow, ...] = ()
    type: str = ""
    at_least: str = ""
    at_most: str = ""
    within_last: str = ""
    where: "Group | None" = None
    relationship: "Group | None" = None


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions that are joined; a `bare` one stands for its only row, or for nothing."""

    join: Join = "all"
    of: tuple["Row | Group", ...] = ()
    bare: bool = False


Node = Row | Group


def group(join: Join, of: Sequence[Node], *, bare: bool) -> Group:
    """Return a group, which is bare only where that can be."""
    alone = not of or (len(of) == 1 and isinstance(of[0], Row))
    return Group(join, tuple(of), bare and join == "all" and alone)


def new(form: str) -> Node:
    """Return a condition that somebody is about to fill in; raises KeyError for another kind."""
    rows: dict[str, Node] = {
        "attribute": Row("attribute", tests=(TestRow(),)),
        "event": Row("event", where=Group(bare=True)),
        "related": Row("related", where=Group(bare=True), relationship=Group(bare=True)),
        "segment": Row("segment"),
        "group": Group("any", (Row("attribute", tests=(TestRow(),)),)),
    }
    return rows[form]


# as a document


def document(found: Group) -> dict[str, Any] | None:
    """Return the condition that a group stands for; None where that is nothing."""
    if not found.bare:
        return {found.join: [_document(one) for one in found.of]}
    return _document(found.of[0]) if found.of else None


def _document(node: Node) -> dict[str, Any]:
    if isinstance(node, Group):
        return {node.join: [_document(one) for one in node.of]}
    if node.form == "attribute":
        return _tested(node)
    told: dict[str, Any] = {node.form: text(node.name)}
    if node.form == "event":
        counts = {"at_least": node.at_least, "at_most": node.at_most}
        told |= {"type": node.type} if node.type not in {"", "track"} else {}
        told |= {key: _number(typed) for key, typed in counts.items() if typed.strip()}
        told |= {"within_last": node.within_last.strip()} if node.within_last.strip() else {}
    for key, inner in (("where", node.where), ("relationship", node.relationship)):
        if inner is not None and (condition := document(inner)) is not None:
            told[key] = condition
    return told


def _tested(row: Row) -> dict[str, Any]:
    """Return a row of tests; a test that is there twice is asked for in a condition of its own."""
    found: list[dict[str, Any]] = [{}]
    for test in row.tests:
        at = next((one for one in found if test.name not in one), None)
        if at is None:
            found.append(at := {})
        at[test.name] = _value(test)
    told = [{"attribute": text(row.name), **one} for one in found]
    return told[0] if len(told) == 1 else {"all": told}


def _value(test: TestRow) -> Any:
    if test.name in PLAIN:
        return True
    if test.name == MANY:
        return [scalar(one) for one in test.values if one.strip()]
    typed = next((one for one in test.values if one.strip()), "")
    if test.name in _NUMBERS:
        return _number(typed)
    return scalar(typed) if test.name in _SCALARS else text(typed)


# from a document


def rows(condition: object) -> Group:
    """Return the group that shows a condition, None for nothing; raises NotRows."""
    if condition is None:
        return Group(bare=True)
    node = _node(condition)
    return node if isinstance(node, Group) else group("all", [node], bare=True)


def _node(written: object) -> Node:
    if not isinstance(written, Mapping):
        raise NotRows
    for join in JOINS:
        if join in written:
            of = written[join]
            if len(written) > 1 or not isinstance(of, list):
                raise NotRows
            return Group(join, tuple(_node(one) for one in of))
    form = next((one for one in LEAVES if one in written), None)
    if form is None or written.keys() - _KEYS[form]:
        raise NotRows
    name = written[form]
    if not isinstance(name, str | int) or isinstance(name, bool):
        raise NotRows
    if form == "attribute":
        return Row("attribute", text_word(name), _tests(written))
    type_ = str(written.get("type", ""))
    return Row(
        form, text_word(name), (), "" if type_ == "track" else type_,
        _counted(written, "at_least"), _counted(written, "at_most"),
        str(written.get("within_last", "")),
        rows(written.get("where")) if form in {"event", "related"} else None,
        rows(written.get("relationship")) if form == "related" else None,
    )  # fmt: skip


def _tests(written: Mapping[str, Any]) -> tuple[TestRow, ...]:
    found = []
    for name in TESTS:
        if name not in written:
            continue
        value = written[name]
        if name in PLAIN:
            found.append(TestRow(name, ()))
        elif name == MANY:
            if not isinstance(value, list):
                raise NotRows
            found.append(TestRow(name, tuple(map(word, value))))
        else:
            is_text = name not in _NUMBERS | _SCALARS
            found.append(TestRow(name, (text_word(value) if is_text else word(value),)))
    return tuple(found) or (TestRow(),)


def _counted(written: Mapping[str, Any], key: str) -> str:
    return word(written[key]) if key in written else ""


# values as they are typed


def scalar(typed: str) -> Any:
    """Return the text, number or truth value that is typed."""
    bare = typed.strip()
    if bare in {"true", "false"}:
        return bare == "true"
    return _number(typed) if _is_number(bare) else text(typed)


def text(typed: str) -> str:
    """Return the text that is typed, in quotes or without."""
    bare = typed.strip()
    if bare.startswith('"'):
        try:
            found = json.loads(bare)
        except ValueError:
            return bare
        if isinstance(found, str):
            return found
    return bare


def word(value: Any) -> str:
    """Return how a value is typed; raises NotRows."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str) and (_is_number(value) or value in {"true", "false"}):
        return json.dumps(value)
    return text_word(value)


def text_word(value: Any) -> str:
    """Return how a text is typed: in quotes where it would be taken for something else."""
    if isinstance(value, Mapping | list) or value is None:
        raise NotRows
    found = str(value)
    is_plain = found == found.strip() and found.isprintable() and not found.startswith('"')
    return found if is_plain else json.dumps(found)


def _is_number(typed: str) -> bool:
    return len(typed) <= _LONGEST_NUMBER and _NUMBER.fullmatch(typed) is not None


def _number(typed: str) -> Any:
    """Return a number, or what is typed where that is none, so that a judge can say so."""
    bare = typed.strip()
    if not _is_number(bare):
        return bare
    return int(bare) if bare.lstrip("-").isdecimal() else float(bare)
