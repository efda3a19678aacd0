"""Syncs and audiences that somebody is still writing, each a person's own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from rowlift.core.errors import GuardStop, StateError
from rowlift.db import Database
from rowlift.state.definition_tables import drafts
from rowlift.state.leases import database_now

MOST = 50  # of one kind and person

DraftKind = Literal["sync", "audience"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A sync or audience as far as somebody wrote it; an edit began from the version `base`.

    `sync_uid` is that of what it edits, empty for a new one. `view` is what a page remembers that
    is no part of it; times are Unix seconds.
    """

    id: int
    kind: DraftKind
    sync_uid: str
    base: int
    name: str
    document: Mapping[str, Any]
    view: Mapping[str, Any]
    version: int
    created_at: float
    updated_at: float


class DraftStore:
    """Keeps drafts of one workspace and kind."""

    def __init__(self, database: Database, workspace_id: int, kind: DraftKind = "sync") -> None:
        self._database = database
        self._workspace_id = workspace_id
        self._kind = kind

    def all(self, owner: int) -> Sequence[Draft]:
        """Return somebody's drafts, what was changed last first."""
        query = sa.select(drafts).where(*self._mine(owner)).order_by(drafts.c.updated_at.desc())
        with self._database.read() as connection:
            return [_draft(row) for row in connection.execute(query)]

    def get(self, owner: int, draft_id: int) -> Draft:
        """Return one draft; raises StateError NOT_FOUND."""
        query = sa.select(drafts).where(*self._mine(owner), drafts.c.id == draft_id)
        with self._database.read() as connection:
            found = connection.execute(query).one_or_none()
        if found is None:
            raise _gone(draft_id)
        return _draft(found)

    def add(
        self, owner: int, name: str, document: Mapping[str, Any], view: Mapping[str, Any],
        *, sync_uid: str = "", base: int = 0,
    ) -> int:  # fmt: skip
        """Begin a draft and return its number; raises GuardStop TOO_MANY_DRAFTS."""
        with self._database.transaction("draft.add", alone=True) as connection:
            mine = sa.select(sa.func.count()).select_from(drafts).where(*self._mine(owner))
            if int(connection.scalar(mine) or 0) >= MOST:
                raise GuardStop("TOO_MANY_DRAFTS", f"There are {MOST} drafts of yours already.")
            now = database_now(self._database, connection)
            row = {
                "workspace_id": self._workspace_id, "owner": owner, "kind": self._kind,
                "sync_uid": sync_uid, "base": base, "version": 1, "created_at": now,
                **_written(name, document, view, now),
            }  # fmt: skip
            return int(connection.scalars(drafts.insert().values(row).returning(drafts.c.id)).one())

    def save(
        self, owner: int, draft_id: int, name: str, document: Mapping[str, Any],
        view: Mapping[str, Any], *, expected: int, base: int | None = None,
    ) -> None:  # fmt: skip
        """Replace a draft; raises GuardStop EDIT_CONFLICT where another window was faster."""
        one = drafts.update().where(*self._mine(owner), drafts.c.id == draft_id)
        with self._database.transaction("draft.save") as connection:
            values = _written(name, document, view, database_now(self._database, connection))
            values |= {"version": expected + 1} | ({} if base is None else {"base": base})
            saved = one.where(drafts.c.version == expected).values(values)
            if connection.execute(saved).rowcount == 1:
                return
        found = self.get(owner, draft_id)
        raise GuardStop(
            "EDIT_CONFLICT",
            f"The draft is at version {found.version}, not at {expected}: another window of yours "
            "changed it meanwhile.",
            mend="Load it again and repeat the change.",
        )

    def remember(self, owner: int, draft_id: int, view: Mapping[str, Any]) -> None:
        """Keep what a page remembers of a draft, which stays as it is."""
        one = drafts.update().where(*self._mine(owner), drafts.c.id == draft_id)
        with self._database.transaction("draft.view") as connection:
            connection.execute(one.values(view=json.dumps(view)))

    def drop(self, owner: int, draft_id: int) -> None:
        """Forget a draft; raises StateError NOT_FOUND."""
        one = drafts.delete().where(*self._mine(owner), drafts.c.id == draft_id)
        with self._database.transaction("draft.drop") as connection:
            gone = connection.execute(one).rowcount == 0
        if gone:
            raise _gone(draft_id)

    def pass_on(self, owner: int, to: int) -> int:
        """Give all drafts of somebody to somebody else, and return how many there were."""
        theirs = drafts.update().where(
            drafts.c.workspace_id == self._workspace_id, drafts.c.owner == owner
        )
        with self._database.transaction("draft.pass") as connection:
            return connection.execute(theirs.values(owner=to)).rowcount

    def _mine(self, owner: int) -> tuple[sa.ColumnElement[bool], ...]:
        here = drafts.c.workspace_id == self._workspace_id
        return here, drafts.c.owner == owner, drafts.c.kind == self._kind


def _written(
    name: str, document: Mapping[str, Any], view: Mapping[str, Any], now: float
) -> dict[str, Any]:
    return {
        "name": name, "document": json.dumps(document), "view": json.dumps(view), "updated_at": now,
    }  # fmt: skip


def _draft(row: sa.Row[Any]) -> Draft:
    return Draft(
        row.id, row.kind, row.sync_uid, row.base, row.name, json.loads(row.document),
        json.loads(row.view), row.version, row.created_at, row.updated_at,
    )  # fmt: skip


def _gone(draft_id: int) -> StateError:
    text = f"There is no draft {draft_id} of yours."
    return StateError("NOT_FOUND", text, mend="It was started or dropped; see the list of yours.")
