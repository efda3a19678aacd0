"""What the user declared, each with a uid that no rename changes."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from rowlift.db import Database
from rowlift.state.leases import database_now
from rowlift.state.tables import definitions, workspaces


class DefinitionStore:
    """Keeps the uid of each source, destination and sync."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def workspace(self, name: str, settings: Mapping[str, Any]) -> int:
        """Return the id of the workspace of that name, made or brought up to date."""
        text = json.dumps(settings, sort_keys=True)
        query = sa.select(workspaces).where(workspaces.c.name == name)
        with self._database.read() as connection:
            found = connection.execute(query).one_or_none()
        if found and found.settings == text:
            return int(found.id)
        with self._database.transaction("workspace.apply", alone=True) as connection:
            found = connection.execute(query).one_or_none()
            if found is None:
                insert = workspaces.insert().values(name=name, settings=text)
                return int(connection.scalars(insert.returning(workspaces.c.id)).one())
            connection.execute(
                workspaces.update().where(workspaces.c.id == found.id).values(settings=text)
            )
            return int(found.id)

    def apply(
        self, workspace_id: int, kind: str, declared: Mapping[str, tuple[str, str | None]]
    ) -> dict[str, str]:
        """Bring a kind's definitions in line with the files; return name → uid.

        `declared` maps each name to its body and `renamed_from`. What vanished is archived, and
        comes back under its old uid when its name does. Writes only what differs.
        """
        with self._database.read() as connection:
            known = self._known(connection, workspace_id, kind)
        if _is_current(known, declared):
            return {name: known[name].uid for name in declared}
        with self._database.transaction("definitions.apply", alone=True) as connection:
            known = self._known(connection, workspace_id, kind)
            chosen = _chosen(known, declared)
            uids = {
                name: self._one(connection, workspace_id, kind, name, body, chosen.get(name))
                for name, (body, _) in declared.items()
            }
            gone = [row.uid for row in known.values() if row.uid not in uids.values()]
            now = database_now(self._database, connection)
            connection.execute(
                definitions.update()
                .where(definitions.c.uid.in_(gone), definitions.c.archived_at.is_(None))
                .values(archived_at=now)
            )
        return uids

    def names(self, workspace_id: int, kind: str) -> dict[str, str]:
        """Return uid → name, archived ones included."""
        return self._column(definitions.c.name, workspace_id, kind)

    def bodies(self, workspace_id: int, kind: str) -> dict[str, str]:
        """Return uid → what was declared last, archived ones included."""
        return self._column(definitions.c.body, workspace_id, kind)

    def live(self, connection: sa.Connection, workspace_id: int) -> list[str]:
        """Return the uids of the syncs that are declared, as the caller's transaction sees them."""
        query = sa.select(definitions.c.uid).where(
            definitions.c.workspace_id == workspace_id,
            definitions.c.kind == "sync",
            definitions.c.archived_at.is_(None),
        )
        return list(connection.scalars(query))

    def _column(self, column: sa.Column[str], workspace_id: int, kind: str) -> dict[str, str]:
        query = sa.select(definitions.c.uid, column).where(
            definitions.c.workspace_id == workspace_id, definitions.c.kind == kind
        )
        with self._database.read() as connection:
            return {row.uid: row[1] for row in connection.execute(query)}

    def _known(
        self, connection: sa.Connection, workspace_id: int, kind: str
    ) -> dict[str, sa.Row[Any]]:
        query = sa.select(definitions).where(
            definitions.c.workspace_id == workspace_id, definitions.c.kind == kind
        )
        newest_last = query.order_by(definitions.c.archived_at.is_(None), definitions.c.archived_at)
        return {row.name: row for row in connection.execute(newest_last)}

    def _one(
        self,
        connection: sa.Connection,
        workspace_id: int,
        kind: str,
        name: str,
        body: str,
        row: sa.Row[Any] | None,
    ) -> str:
        if row is None:
            return self._create(connection, workspace_id, kind, name, body)
        if (row.name, row.body, row.archived_at) != (name, body, None):
            connection.execute(
                definitions.update()
                .where(definitions.c.uid == row.uid)
                .values(name=name, body=body, version=row.version + 1, archived_at=None)
            )
        return str(row.uid)

    def _create(
        self, connection: sa.Connection, workspace_id: int, kind: str, name: str, body: str
    ) -> str:
        uid = uuid.uuid4().hex
        connection.execute(
            definitions.insert().values(
                uid=uid,
                workspace_id=workspace_id,
                kind=kind,
                name=name,
                body=body,
                version=1,
                created_at=database_now(self._database, connection),
            )
        )
        return uid


def _chosen(
    known: Mapping[str, sa.Row[Any]], declared: Mapping[str, tuple[str, str | None]]
) -> dict[str, sa.Row[Any]]:
    """Return what each name goes on with: its own, what it was renamed from, what it once was."""
    live = {name: row for name, row in known.items() if row.archived_at is None}
    chosen = {name: live[name] for name in declared if name in live}
    for name, (_, renamed_from) in declared.items():
        taken = {row.uid for row in chosen.values()}
        ways = (live.get(renamed_from or ""), known.get(name), known.get(renamed_from or ""))
        free = [row for row in ways if row is not None and row.uid not in taken]
        if name not in chosen and free:
            chosen[name] = free[0]
    return chosen


def _is_current(
    known: Mapping[str, sa.Row[Any]], declared: Mapping[str, tuple[str, str | None]]
) -> bool:
    live = {name: row.body for name, row in known.items() if row.archived_at is None}
    return live == {name: body for name, (body, _) in declared.items()}
