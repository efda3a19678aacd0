"""Test connections, step by step; no table is read and nothing is sent."""

from collections.abc import Iterator
from contextlib import contextmanager

from rowlift.core.errors import RowliftError
from rowlift.core.nouns import Feed, Finding
from rowlift.core.ports import Destination
from rowlift.core.rules import rule
from rowlift.operations.home import Home, open_destination
from rowlift.registry import destination_kind

UNREACHED = frozenset({"CONNECT_FAILED", "UNREACHABLE"})


def tested(home: Home, *, discreet: bool) -> dict[str, list[Finding]]:
    """Return what was found of each source and destination.

    With `discreet` a closed port, a filtered one, another protocol and an unknown name read the
    same.
    """
    return dict(_tested(home, discreet=discreet))


def examined(home: Home, kind: str, name: str, *, discreet: bool) -> Iterator[Finding]:
    """Yield what is found of one source or destination; what it cannot be is a finding, too."""
    look = {"source": _check_source, "destination": _check_destination}[kind]
    try:
        for one in look(home, name):
            yield _discreet(one) if discreet else one
    except RowliftError as error:
        failed = Finding("connection", "error", error.message, error.mend, error.code)
        yield _discreet(failed) if discreet else failed


def _tested(home: Home, *, discreet: bool) -> Iterator[tuple[str, list[Finding]]]:
    for name in home.project.sources:
        yield name, list(examined(home, "source", name, discreet=discreet))
    for name in home.project.destinations:
        yield name, list(examined(home, "destination", name, discreet=discreet))


def _discreet(one: Finding) -> Finding:
    if one.code not in UNREACHED:
        return one
    known = rule(one.code)
    return Finding("network", "error", f"{known.title}.", known.mend, one.code)


def _check_source(home: Home, name: str) -> Iterator[Finding]:
    with home.source(name) as source:
        yield from source.check()


def _check_destination(home: Home, name: str) -> Iterator[Finding]:
    with idle_destination(home, name) as destination:
        yield from destination.check()


@contextmanager
def idle_destination(home: Home, name: str) -> Iterator[Destination]:
    """Open a destination that is only asked about itself; raises ConfigError."""
    if ("destination", name) in home.broken:
        raise home.broken["destination", name]
    connection = home.project.destinations[name]
    accepts = destination_kind(connection.type).accepts
    match = min(accepts.matches)
    feed = Feed("", "", min(accepts.kinds), match, match)
    destination = open_destination(home.project.root, connection, feed, home.env)
    try:
        yield destination
    finally:
        destination.close()
