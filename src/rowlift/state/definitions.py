"""What the user declared, each with a uid that no rename changes, and what it was before.

A definition is managed by the files of a project or in Rowlift itself, never by both.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from rowlift.core.errors import ConfigError, GuardStop
from rowlift.core.specs import Managed
from rowlift.db import Database
from rowlift.state.definition_tables import definition_versions, secrets
from rowlift.state.leases import database_now
from rowlift.state.tables import definitions, workspaces
from rowlift.state.vault import Sealed

FILES: Managed = "files"
ROWLIFT: Managed = "rowlift"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a file declares: the document is its YAML mapping as JSON, the body what it means."""

    body: str
    document: str = "{}"
    renamed_from: str | None = None

    @property
    def mapping(self) -> Mapping[str, Any]:
        """Return the document as a mapping."""
        mapping: dict[str, Any] = json.loads(self.document)
        return mapping

    def of(self, document: Mapping[str, Any]) -> "Declared":
        """Return it with its document."""
        return replace(self, document=json.dumps(document))


@dataclass(frozen=True, slots=True)
class Author:
    """Who changed a definition, and from where: files, apply, python, api, ui."""

    actor: str = ""
    origin: str = FILES


@dataclass(frozen=True, slots=True)
class Definition:
    """One source, destination, sync or workspace; times are Unix seconds."""

    uid: str
    kind: str
    name: str
    body: str
    document: Mapping[str, Any]
    managed: Managed
    version: int
    archived_at: float | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """What a definition was, since when, by whom and from where."""

    version: int
    name: str
    document: Mapping[str, Any]
    archived: bool
    actor: str
    origin: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Change:
    """What a definition made in Rowlift shall be; `expected` is its version, 0 for a new one.

    Of its secrets those that are not in `keeps` are forgotten, and `sealed` are added.
    """

    uid: str
    kind: str
    expected: int
    name: str
    body: str
    document: Mapping[str, Any]
    archived: bool = False
    keeps: frozenset[str] = frozenset()
    sealed: Sequence[Sealed] = ()


class DefinitionStore:
    """Keeps sources, destinations and syncs with their uids and versions."""

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

    def workspaces(self) -> dict[str, int]:
        """Return the ids of all workspaces by name."""
        with self._database.read() as connection:
            return {row.name: int(row.id) for row in connection.execute(sa.select(workspaces))}

    # what files declare

    def apply(
        self,
        workspace_id: int,
        kind: str,
        declared: Mapping[str, Declared],
        by: Author = Author(),
        *,
        prune: bool = True,
        take_over: bool = False,
    ) -> dict[str, str]:
        """Bring a kind's definitions in line with the files; return name → uid of what they name.

        What vanished is archived with `prune`, and comes back under its old uid when its name does.
        Writes only what differs. Raises ConfigError NAME_TWICE for a name that was given in
        Rowlift, unless the files take it over.
        """
        with self._database.read() as connection:
            known = self._known(connection, workspace_id, kind, take_over=take_over)
        if _is_current(known, declared, prune=prune):
            return {name: known[name].uid for name in declared}
        with self._database.transaction("definitions.apply", alone=True) as connection:
            known = self._known(connection, workspace_id, kind, take_over=take_over)
            if not take_over:
                self._refuse_taken(connection, workspace_id, kind, declared)
            pen = _Pen(connection, database_now(self._database, connection), by)
            before = _chosen(known, declared)
            uids = {
                name: self._declare(pen, workspace_id, kind, name, one, before.get(name))
                for name, one in declared.items()
            }
            if prune:
                pen.archive(row for row in known.values() if row.uid not in uids.values())
        return uids

    def _declare(
        self,
        pen: "_Pen",
        workspace_id: int,
        kind: str,
        name: str,
        one: Declared,
        row: sa.Row[Any] | None,
    ) -> str:
        if row is not None and row.archived_at is None and row.name == name and _is(row, one):
            return str(row.uid)
        uid = str(row.uid) if row is not None else self.new_uid()
        version = row.version + 1 if row is not None else 1
        pen.forget_secrets(uid)
        pen.write(workspace_id, uid, kind, name, one.body, one.document, FILES, version)
        return uid

    def _refuse_taken(
        self, connection: sa.Connection, workspace_id: int, kind: str, names: Iterable[str]
    ) -> None:
        query = sa.select(definitions.c.name).where(
            *_live(workspace_id, kind),
            definitions.c.managed == ROWLIFT,
            definitions.c.name.in_(sorted(names)),
        )
        name = connection.scalar(query)
        if name is not None:
            raise taken(kind, name)

    # what is made in Rowlift

    @staticmethod
    def new_uid() -> str:
        """Draw the uid of a new definition."""
        return uuid.uuid4().hex

    def write(self, workspace_id: int, changes: Sequence[Change], by: Author) -> None:
        """Write changes of definitions that are managed here, all or none.

        Raises GuardStop EDIT_CONFLICT where somebody was faster, and ConfigError NAME_TWICE.
        """
        try:
            with self._database.transaction("definitions.write", alone=True) as connection:
                pen = _Pen(connection, database_now(self._database, connection), by)
                for one in changes:
                    self._write(connection, pen, workspace_id, one)
        except IntegrityError:
            names = ", ".join(f"{one.kind} {one.name}" for one in changes)
            text = f"There is one of that name already: {names}."
            raise ConfigError("NAME_TWICE", text, mend="Choose another name.") from None

    def _write(
        self, connection: sa.Connection, pen: "_Pen", workspace_id: int, one: Change
    ) -> None:
        query = sa.select(definitions.c.version).where(definitions.c.uid == one.uid)
        found = connection.scalar(query) or 0
        if found != one.expected:
            who = _authors(connection, one.uid, one.expected)
            raise GuardStop(
                "EDIT_CONFLICT",
                f"The {one.kind} {one.name} is at version {found}, not at {one.expected}: "
                f"{who} changed it meanwhile.",
                mend="Load it again and repeat the change.",
            )
        pen.forget_secrets(one.uid, one.keeps)
        for sealed in one.sealed:
            connection.execute(
                secrets.insert().values(uid=one.uid, created_at=pen.now, **sealed.columns())
            )
        text = json.dumps(one.document)
        pen.write(
            workspace_id, one.uid, one.kind, one.name, one.body, text, ROWLIFT, found + 1,
            archived=one.archived,
        )  # fmt: skip

    # what there is

    def all(self, workspace_id: int, kind: str | None = None) -> list[Definition]:
        """Return every definition, archived ones too, by kind and name."""
        query = sa.select(definitions).where(definitions.c.workspace_id == workspace_id)
        if kind:
            query = query.where(definitions.c.kind == kind)
        in_order = query.order_by(definitions.c.kind, definitions.c.name, definitions.c.created_at)
        with self._database.read() as connection:
            return [_definition(row) for row in connection.execute(in_order)]

    def stamp(self, workspace_id: int) -> tuple[int, int]:
        """Return how many definitions there ever were, and the sum of their versions."""
        number, versions = sa.func.count(), sa.func.coalesce(sa.func.sum(definitions.c.version), 0)
        query = sa.select(number, versions).where(definitions.c.workspace_id == workspace_id)
        with self._database.read() as connection:
            found = connection.execute(query).one()
        return int(found[0]), int(found[1])

    def versions(
        self, uid: str, limit: int | None = None, before: int | None = None
    ) -> list[Version]:
        """Return what a definition was, the newest first, all or so many before a version."""
        query = sa.select(definition_versions).where(definition_versions.c.uid == uid)
        if before is not None:
            query = query.where(definition_versions.c.version < before)
        newest = query.order_by(definition_versions.c.version.desc()).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(newest).all()
        return [_version(row) for row in rows]

    def names(self, workspace_id: int, kind: str) -> dict[str, str]:
        """Return uid → name, archived ones included."""
        return self._column(definitions.c.name, workspace_id, kind)

    def former_names(self, workspace_id: int, kind: str, uid: str) -> list[str]:
        """Return the names that a definition had before, and that no other one has or ever had."""
        here = sa.and_(definitions.c.workspace_id == workspace_id, definitions.c.kind == kind)
        now = sa.select(definitions.c.uid, definitions.c.name).where(here)
        once = sa.select(definition_versions.c.uid, definition_versions.c.name).where(
            definition_versions.c.uid == definitions.c.uid, here
        )
        with self._database.read() as connection:
            had = {tuple(row) for row in connection.execute(sa.union(now, once))}
            (name,) = connection.scalars(
                now.with_only_columns(definitions.c.name).where(definitions.c.uid == uid)
            )
        others = {one for whose, one in had if whose != uid}
        return sorted({one for whose, one in had if whose == uid} - others - {name})

    def bodies(self, workspace_id: int, kind: str) -> dict[str, str]:
        """Return uid → what was declared last, archived ones included."""
        return self._column(definitions.c.body, workspace_id, kind)

    def live(self, connection: sa.Connection, workspace_id: int) -> list[str]:
        """Return the uids of the syncs that are declared, as the caller's transaction sees them."""
        query = sa.select(definitions.c.uid).where(*_live(workspace_id, "sync"))
        return list(connection.scalars(query))

    def _column(self, column: sa.Column[str], workspace_id: int, kind: str) -> dict[str, str]:
        query = sa.select(definitions.c.uid, column).where(
            definitions.c.workspace_id == workspace_id, definitions.c.kind == kind
        )
        with self._database.read() as connection:
            return {row.uid: row[1] for row in connection.execute(query)}

    def _known(
        self, connection: sa.Connection, workspace_id: int, kind: str, *, take_over: bool
    ) -> dict[str, sa.Row[Any]]:
        """Return what files may declare by name: what they managed, with `take_over` all."""
        query = sa.select(definitions).where(
            definitions.c.workspace_id == workspace_id, definitions.c.kind == kind
        )
        if not take_over:
            query = query.where(definitions.c.managed == FILES)
        newest_last = query.order_by(definitions.c.archived_at.is_(None), definitions.c.archived_at)
        return {row.name: row for row in connection.execute(newest_last)}


def _authors(connection: sa.Connection, uid: str, since: int) -> str:
    """Return who wrote the versions after one."""
    versions = definition_versions
    query = sa.select(versions.c.actor).where(versions.c.uid == uid, versions.c.version > since)
    names = dict.fromkeys(connection.scalars(query.order_by(versions.c.version)))
    return " and ".join(name or "somebody" for name in names) or "somebody"


@dataclass(frozen=True, slots=True)
class _Pen:
    """Writes definitions and their versions in one transaction."""

    connection: sa.Connection
    now: float
    by: Author

    def write(  # noqa: PLR0913, PLR0917 - a row's columns
        self,
        workspace_id: int,
        uid: str,
        kind: str,
        name: str,
        body: str,
        document: str,
        managed: Managed,
        version: int,
        *,
        archived: bool = False,
    ) -> None:
        values = {
            "name": name,
            "body": body,
            "document": document,
            "managed": managed,
            "version": version,
            "archived_at": self.now if archived else None,
        }
        if version == 1:
            own = {"uid": uid, "workspace_id": workspace_id, "kind": kind, "created_at": self.now}
            self.connection.execute(definitions.insert().values(**own, **values))
        else:
            self.connection.execute(
                definitions.update().where(definitions.c.uid == uid).values(**values)
            )
        self._note(uid, version, name, document, archived=archived)

    def forget_secrets(self, uid: str, keeps: frozenset[str] = frozenset()) -> None:
        self.connection.execute(
            secrets.delete().where(secrets.c.uid == uid, secrets.c.id.not_in(keeps))
        )

    def archive(self, rows: Iterable[sa.Row[Any]]) -> None:
        for row in rows:
            if row.archived_at is None and row.managed == FILES:
                self.connection.execute(
                    definitions.update()
                    .where(definitions.c.uid == row.uid)
                    .values(archived_at=self.now, version=row.version + 1)
                )
                self._note(row.uid, row.version + 1, row.name, row.document, archived=True)

    def _note(self, uid: str, version: int, name: str, document: str, *, archived: bool) -> None:
        self.connection.execute(
            definition_versions.insert().values(
                uid=uid,
                version=version,
                name=name,
                document=document,
                archived=archived,
                actor=self.by.actor,
                origin=self.by.origin,
                created_at=self.now,
            )
        )


def taken(kind: str, name: str) -> ConfigError:
    """Return what is said where files and Rowlift both want a name."""
    return ConfigError(
        "NAME_TWICE",
        f"The {kind} {name} was made in Rowlift; now a file declares it too.",
        mend="Give one of the two another name, or let the files take it over: "
        "rowlift apply --take-over.",
    )


def is_same(one: Definition, declared: Declared) -> bool:
    """Tell whether a definition says what a file does; the order of keys says nothing."""
    return (one.body, one.document) == (declared.body, declared.mapping)


def _live(workspace_id: int, kind: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        definitions.c.workspace_id == workspace_id,
        definitions.c.kind == kind,
        definitions.c.archived_at.is_(None),
    )


def _definition(row: sa.Row[Any]) -> Definition:
    return Definition(
        row.uid,
        row.kind,
        row.name,
        row.body,
        json.loads(row.document),
        row.managed,
        row.version,
        row.archived_at,
    )


def _version(row: sa.Row[Any]) -> Version:
    return Version(
        row.version,
        row.name,
        json.loads(row.document),
        row.archived,
        row.actor,
        row.origin,
        row.created_at,
    )


def _chosen(
    known: Mapping[str, sa.Row[Any]], declared: Mapping[str, Declared]
) -> dict[str, sa.Row[Any]]:
    """Return what each name goes on with: its own, what it was renamed from, what it once was."""
    live = {name: row for name, row in known.items() if row.archived_at is None}
    chosen = {name: live[name] for name in declared if name in live}
    for name, one in declared.items():
        former = one.renamed_from or ""
        taken = {row.uid for row in chosen.values()}
        ways = (live.get(former), known.get(name), known.get(former))
        free = [row for row in ways if row is not None and row.uid not in taken]
        if name not in chosen and free:
            chosen[name] = free[0]
    return chosen


def _is(row: sa.Row[Any], one: Declared) -> bool:
    """Tell whether a row says what a file does; the order of a document's keys says nothing."""
    if row.managed != FILES or row.body != one.body:
        return False
    return bool(json.loads(row.document) == json.loads(one.document))


def _is_current(
    known: Mapping[str, sa.Row[Any]], declared: Mapping[str, Declared], *, prune: bool
) -> bool:
    live = {name: row for name, row in known.items() if row.archived_at is None}
    theirs = {name for name, row in live.items() if row.managed == FILES}
    if prune and theirs - declared.keys():
        return False
    return all(name in live and _is(live[name], one) for name, one in declared.items())
