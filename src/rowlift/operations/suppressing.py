"""Suppress people, and tell every destination that has them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from rowlift.core.errors import ConfigError
from rowlift.engine.parts import uids
from rowlift.engine.populate import TARGET
from rowlift.operations.home import Home
from rowlift.workspace import suppression
from rowlift.workspace.records import (
    Person,
    person_by_anonymous_id,
    person_by_email,
    person_by_id,
)
from rowlift.workspace.suppression import KINDS, Suppression

_LOOK_UP = {
    "id": person_by_id,
    "email": person_by_email,
    "anonymous_id": person_by_anonymous_id,
}


@dataclass(frozen=True, slots=True)
class SuppressionReport:
    """What was changed: how many identifiers, and how many people of the workspace they are of."""

    identifiers: int
    people: int


def suppress(home: Home, named: Iterable[str], note: str) -> SuppressionReport:
    """Suppress identifiers, with all others of the people they name.

    Each is written kind:value, or plainly an address or an id. Deliveries are queued that take
    these people out of wherever they were delivered to.
    """
    texts, people = _resolved(home, named)
    with _told("suppress", home) as (connection, tell):
        added = suppression.add(connection, home.workspace_id, texts, note)
        tell(added)
    return SuppressionReport(added, people)


def unsuppress(home: Home, named: Iterable[str]) -> SuppressionReport:
    """Lift the suppression of identifiers and of all others of the people they name."""
    texts, people = _resolved(home, named)
    with _told("unsuppress", home) as (connection, tell):
        removed = suppression.remove(connection, home.workspace_id, texts)
        tell(removed)
    return SuppressionReport(removed, people)


@contextmanager
def _told(name: str, home: Home) -> Iterator[tuple[sa.Connection, Callable[[int], None]]]:
    """A transaction, and what tells all destinations in it that so many identifiers changed.

    Each destination that a sync was ever delivered to gets a delivery, under new message ids.
    """
    deliveries = home.store.deliveries
    newest = {
        (part, uid): one
        for sync_uid in home.syncs.values()
        for part in uids(sync_uid).values()
        for uid, one in deliveries.newest(part).items()
    }
    with home.store.database.transaction(name) as connection:

        def tell(changed: int) -> None:
            if not changed:
                return
            home.store.images.raise_epochs(connection, home.workspace_id, but=TARGET)
            for (part, uid), one in newest.items():
                specs = {uid: one.spec}
                deliveries.queue(connection, one.workspace_id, part, one.run_id, specs)

        yield connection, tell


def suppressions(home: Home) -> list[Suppression]:
    """Return who is suppressed, by hash, the newest first."""
    with home.store.database.read() as connection:
        return suppression.listed(connection, home.workspace_id)


def _resolved(home: Home, named: Iterable[str]) -> tuple[list[str], int]:
    """Return the identifiers as they are hashed, and how many people of the workspace have them."""
    texts: dict[str, None] = {}
    known: dict[int, Person] = {}
    for one in named:
        kind, value = _parsed(one)
        texts[suppression.identifier(kind, value)] = None
        if person := _LOOK_UP[kind](home.workspace, value):
            known[person.record.pid] = person
    for person in known.values():
        texts |= dict.fromkeys(_identifiers(person))
    return list(texts), len(known)


def _parsed(text: str) -> tuple[str, str]:
    kind, colon, value = text.strip().partition(":")
    if not colon or kind not in KINDS:
        kind, value = ("email" if "@" in text else "id"), text.strip()
    if not value:
        raise ConfigError(
            "VALUE_WRONG",
            "There is an empty identifier.",
            mend="Write ann@example.com, 42, id:42, email:… or anonymous_id:…",
        )
    return kind, value


def _identifiers(person: Person) -> Sequence[str]:
    single = {"id": person.id, "email": person.email}
    found = [suppression.identifier(kind, value) for kind, value in single.items() if value]
    return found + [suppression.identifier("anonymous_id", one) for one in person.anonymous_ids]
