"""Suppress people, and tell every destination that has them."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from rowlift.core.errors import ConfigError
from rowlift.core.identifiers import email_key
from rowlift.operations.home import Home
from rowlift.state.audiences import ask
from rowlift.workspace import identifiers, suppression
from rowlift.workspace.identifiers import Named
from rowlift.workspace.membership import leave_all
from rowlift.workspace.suppression import KINDS, Suppression


@dataclass(frozen=True, slots=True)
class SuppressionReport:
    """What was changed: how many identifiers, and how many people of the workspace they are of."""

    identifiers: int
    people: int


def suppress(home: Home, named: Iterable[str], note: str) -> SuppressionReport:
    """Suppress identifiers, with all others of the people they name, who leave every segment.

    Each is written kind:value, or plainly an address or an id. Deliveries are queued that take
    these people out of wherever they were delivered to.
    """
    with home.store.database.transaction("suppress", alone=True) as connection:
        texts, people = _resolved(connection, home.workspace_id, named)
        roots = suppression.roots(connection, home.workspace_id, texts)
        added = suppression.add(connection, home.workspace_id, texts, note, roots)
        leave_all(connection, people)
        if added:
            ask(connection, home.workspace_id)
            home.store.look_again(connection, home.workspace_id)
    return SuppressionReport(added, len(people))


def unsuppress(home: Home, named: Iterable[str]) -> SuppressionReport:
    """Lift the suppression of identifiers and of all others of the people they name."""
    with home.store.database.transaction("unsuppress", alone=True) as connection:
        texts, people = _resolved(connection, home.workspace_id, named)
        removed = suppression.remove(connection, home.workspace_id, texts)
        if removed:
            ask(connection, home.workspace_id)
            home.store.look_again(connection, home.workspace_id)
    return SuppressionReport(removed, len(people))


def suppressions(home: Home, limit: int, before: int | None) -> list[Suppression]:
    """Return who is suppressed, by hash, the newest first."""
    with home.store.database.read() as connection:
        return suppression.listed(connection, home.workspace_id, limit, before)


def revision(home: Home) -> int:
    """Return a number that rises whenever somebody is suppressed or no longer is."""
    with home.store.database.read() as connection:
        return suppression.revision(connection, home.workspace_id)


def _resolved(
    connection: sa.Connection, workspace_id: int, named: Iterable[str]
) -> tuple[dict[str, str], list[int]]:
    """Return the identifiers as they are hashed, and the people of the workspace who have them.

    Beside each stands the one that was named for it.
    """
    given = [_parsed(one) for one in named]
    texts = {one: one for one in (suppression.identifier(kind, value) for kind, value in given)}
    values = {kind: list(dict.fromkeys(v for k, v in given if k == kind)) for kind in KINDS}
    emails = list(dict.fromkeys(map(email_key, values["email"])))
    by = Named(values["id"], emails, values["anonymous_id"])
    known = _identifiers(connection, workspace_id, by)
    for each in known.values():
        root = next(one for one in each if texts.get(one) == one)
        for one in each:
            texts.setdefault(one, root)
    return texts, list(known)


def _identifiers(
    connection: sa.Connection, workspace_id: int, named: Named
) -> dict[int, list[str]]:
    """Return the people who are named, each with all identifiers they have."""
    known: dict[int, list[str]] = {}
    for batch in identifiers.people(connection, workspace_id, named):
        for row in batch.to_pylist():
            single = {"id": row["id"], "email": row["email_key"]}
            known[row["pid"]] = [
                suppression.identifier(kind, value) for kind, value in single.items() if value
            ]
    for batch in identifiers.anonymous_of(connection, workspace_id, list(known)):
        for row in batch.to_pylist():
            text = suppression.identifier("anonymous_id", row["anonymous_id"])
            known[row["pid"]].append(text)
    return known


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
