"""What buttons do to rows of conditions: add, remove and move one; each says where to go on.

A place is a way through the rows, such as `where-2-0`, or `where-1-where-0` inside an event.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from rowlift.core.digits import number_of
from rowlift.web.pages.condition_rows import Group, Node, Row, TestRow, group, new

_INNER = ("where", "relationship")

Changed = tuple[Group, str]


def act(root: Group, name: str, what: str, place: str, more: str) -> Changed:
    """Return the rows after a button was pressed, and the field to go on at.

    A button of rows that are not there changes nothing.
    """
    steps = place.split("-")[1:]
    try:
        changed, after = _ACTS[what](root, steps, more)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError):
        return root, f"{place}-{what}"
    return changed, "-".join([name, *after])


def _add(root: Group, steps: Sequence[str], more: str) -> tuple[Group, list[str]]:
    at = len(_group(_find(root, steps)).of)
    is_group = more == "group"
    changed = _put(root, steps, at, new(more))
    return changed, [*steps, str(at), *(("0",) if is_group else ()), "name"]


def _remove(root: Group, steps: Sequence[str], _more: str) -> tuple[Group, list[str]]:
    *above, index = steps
    changed, _ = _take(root, above, int(index))
    if _is_left_empty(changed, above):
        above, group_at = above[:-1], int(above[-1])
        changed, _ = _take(changed, above, group_at)
    return changed, [*above, "add"]


def _up(root: Group, steps: Sequence[str], _more: str) -> tuple[Group, list[str]]:
    """Move a row before the one above it, into a group above it, or out of its group."""
    *above, last = steps
    index = int(last)
    changed, node = _take(root, above, index)
    if not index:
        way, at = above[:-1], int(above[-1])
        if _is_left_empty(changed, above):
            changed, _ = _take(changed, way, at)
    elif isinstance(before := _group(_find(changed, above)).of[index - 1], Group):
        way, at = [*above, str(index - 1)], len(before.of)
    else:
        way, at = above, index - 1
    return _put(changed, way, at, node), [*way, str(at), "up"]


def _down(root: Group, steps: Sequence[str], _more: str) -> tuple[Group, list[str]]:
    """Move a row behind the one below it, into a group below it, or out of its group."""
    *above, last = steps
    index = int(last)
    changed, node = _take(root, above, index)
    below = _group(_find(changed, above)).of
    if index < len(below):
        is_group = isinstance(below[index], Group)
        way, at = ([*above, last], 0) if is_group else (above, index + 1)
    else:
        way, at = above[:-1], int(above[-1]) + 1
        if _is_left_empty(changed, above):
            at -= 1
            changed, _ = _take(changed, way, at)
    return _put(changed, way, at, node), [*way, str(at), "down"]


def _test(root: Group, steps: Sequence[str], _more: str) -> tuple[Group, list[str]]:
    def more_tests(node: Node) -> Node:
        row = _row(node)
        return replace(row, tests=(*row.tests, TestRow()))

    changed = _at(root, steps, more_tests)
    return changed, [*steps, "test", str(len(_row(_find(changed, steps)).tests) - 1)]


def _untest(root: Group, steps: Sequence[str], more: str) -> tuple[Group, list[str]]:
    def fewer_tests(node: Node) -> Node:
        row = _row(node)
        left = tuple(one for at, one in enumerate(row.tests) if at != int(more))
        return replace(row, tests=left or row.tests)

    return _at(root, steps, fewer_tests), [*steps, "test", "0"]


def _value(root: Group, steps: Sequence[str], more: str) -> tuple[Group, list[str]]:
    def more_values(node: Node) -> Node:
        row, tests = _row(node), [*_row(node).tests]
        tests[int(more)] = replace(tests[int(more)], values=(*tests[int(more)].values, ""))
        return replace(row, tests=tuple(tests))

    changed = _at(root, steps, more_values)
    at = len(_row(_find(changed, steps)).tests[int(more)].values) - 1
    return changed, [*steps, "value", more, str(at)]


_ACTS: dict[str, Callable[[Group, Sequence[str], str], tuple[Group, list[str]]]] = {
    "add": _add, "remove": _remove, "up": _up, "down": _down,
    "test": _test, "untest": _untest, "value": _value,
}  # fmt: skip


def _find(root: Group, steps: Sequence[str]) -> Node:
    found: Node | None = root
    for step in steps:
        found = getattr(found, step) if step in _INNER else _group(found).of[_index(step)]
    if found is None:
        raise IndexError(steps)
    return found


def _at(root: Group, steps: Sequence[str], change: Callable[[Node], Node]) -> Group:
    return _group(_changed(root, steps, change))


def _changed(node: Node, steps: Sequence[str], change: Callable[[Node], Node]) -> Node:
    if not steps:
        return change(node)
    step, *rest = steps
    if step in _INNER:
        inner = _changed(getattr(_row(node), step), rest, change)
        if step == "where":
            return replace(_row(node), where=_group(inner))
        return replace(_row(node), relationship=_group(inner))
    of = [*_group(node).of]
    of[_index(step)] = _changed(of[_index(step)], rest, change)
    return group(_group(node).join, of, bare=_group(node).bare)


def _put(root: Group, steps: Sequence[str], at: int, node: Node) -> Group:
    def with_it(found: Node) -> Node:
        of = [*_group(found).of]
        of.insert(at, node)
        return group(_group(found).join, of, bare=_group(found).bare)

    return _at(root, steps, with_it)


def _take(root: Group, steps: Sequence[str], at: int) -> tuple[Group, Node]:
    taken = _group(_find(root, steps)).of[at]

    def without(found: Node) -> Node:
        of = [one for index, one in enumerate(_group(found).of) if index != at]
        return group(_group(found).join, of, bare=_group(found).bare)

    return _at(root, steps, without), taken


def _is_left_empty(root: Group, steps: Sequence[str]) -> bool:
    """Tell whether nothing is left of a group in a group: who belongs to none is nobody."""
    return bool(steps) and steps[-1] not in _INNER and not _group(_find(root, steps)).of


def _index(step: str) -> int:
    if (index := number_of(step)) is None:
        raise ValueError(step)
    return index


def _group(node: Node | None) -> Group:
    if not isinstance(node, Group):
        raise TypeError(node)
    return node


def _row(node: Node) -> Row:
    if not isinstance(node, Row):
        raise TypeError(node)
    return node
