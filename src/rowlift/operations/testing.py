"""Test every connection, step by step; no table is read and nothing is sent."""

from collections.abc import Callable, Iterator

from rowlift.core.errors import RowliftError
from rowlift.core.nouns import Feed, Finding
from rowlift.core.rules import rule
from rowlift.operations.home import Home, open_destination
from rowlift.registry import destination_kind

UNREACHED = frozenset({"CONNECT_FAILED", "UNREACHABLE"})


def tested(home: Home, *, discreet: bool) -> dict[str, list[Finding]]:
    """Return what was found of each source and destination.

    With `discreet` a closed port, a filtered one, another protocol and an unknown name read the
    same.
    """
    found = dict(_tested(home))
    if not discreet:
        return found
    return {name: [_discreet(one) for one in findings] for name, findings in found.items()}


def _tested(home: Home) -> Iterator[tuple[str, list[Finding]]]:
    for name in home.project.sources:
        yield name, _findings(_check_source, home, name)
    for name in home.project.destinations:
        yield name, _findings(_check_destination, home, name)


def _discreet(one: Finding) -> Finding:
    if one.code not in UNREACHED:
        return one
    known = rule(one.code)
    return Finding("network", "error", f"{known.title}.", known.mend, one.code)


def _findings(look: Callable[[Home, str], list[Finding]], home: Home, name: str) -> list[Finding]:
    try:
        return look(home, name)
    except RowliftError as error:
        return [Finding("connection", "error", error.message, error.mend, error.code)]


def _check_source(home: Home, name: str) -> list[Finding]:
    with home.source(name) as source:
        return list(source.check())


def _check_destination(home: Home, name: str) -> list[Finding]:
    connection = home.project.destinations[name]
    kind = destination_kind(connection.type)
    match = min(kind.accepts.matches)
    feed = Feed("", "", min(kind.accepts.kinds), match, match)
    destination = open_destination(home.project.root, connection, feed, home.env)
    try:
        return list(destination.check())
    finally:
        destination.close()
