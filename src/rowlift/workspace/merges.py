"""Strangers who turned out to be somebody known: merged within a slice, written down, and undone.

`moved` of the log is a JSON object: `person`, the stranger's row as it was; `names` of the
attributes that the known person had not; and for each table of belongings the stranger's rows,
`doubled` where the known person had the like, so that the row was given up.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from rowlift.workspace.rows import run, stage
from rowlift.workspace.tables import (
    anonymous_ids,
    events,
    merges,
    objects,
    people,
    relationships,
    segment_members,
    segments,
    tracked,
)
from rowlift.workspace.workspace import Workspace, Writer


@dataclass(frozen=True, slots=True)
class Merge:
    """One merge, into whom, by which run, and what moved; times are Unix seconds."""

    number: int
    pid: int
    into_pid: int
    id: str | None
    email: str | None
    sync_uid: str
    run_id: int
    as_of: int
    at: float
    undone_at: float | None
    moved: Mapping[str, Any]

    @property
    def stranger(self) -> Mapping[str, Any]:
        """Return the row of the person who was merged, as it was."""
        row: Mapping[str, Any] = self.moved["person"]
        return row

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the attributes that moved."""
        return tuple(self.moved["names"])

    @property
    def anonymous_ids(self) -> tuple[str, ...]:
        """Return the anonymous ids that moved."""
        return tuple(sorted(row["anonymous_id"] for row in self.moved[anonymous_ids.name]))


@dataclass(frozen=True, slots=True)
class _Belonging:
    """Rows that name their person in a column; a person has one at most for each other thing."""

    table: sa.Table
    person: str
    other: str = ""
    thing: sa.Column[Any] | None = None
    kept: str = "*"  # columns that the log keeps: what never doubles is only to be found again

    def filled(self, sql: str) -> str:
        given = {
            "table": self.table.name, "person": self.person, "other": self.other, "kept": self.kept,
        }  # fmt: skip
        return sql.format(**given, doubled=_DOUBLED.format(**given) if self.other else "FALSE")


_BELONGINGS = (
    _Belonging(anonymous_ids, "pid"),
    _Belonging(events, "pid"),
    _Belonging(relationships, "person_pid", "object_pid", objects.c.pid),
    _Belonging(segment_members, "pid", "segment_id", segments.c.id),
    _Belonging(tracked, "pid", kept="id, pid"),
)

_MERGING = "place bigint, pid bigint, revision bigint, into_pid bigint"
# The like is had by the known person, or by a stranger who comes before into the same person.
_DOUBLED = """EXISTS (
    SELECT 1 FROM {table} had JOIN merging m ON m.pid = {table}.{person}
    LEFT JOIN merging other ON other.pid = had.{person}
    WHERE had.{other} = {table}.{other} AND (had.{person} = m.into_pid
        OR (other.into_pid = m.into_pid AND other.place < m.place))
)"""
_READ = """
SELECT {table}.{kept}, {doubled} AS doubled FROM {table}
WHERE {person} IN (SELECT pid FROM merging)
"""
_GIVE_UP = "DELETE FROM {table} WHERE {person} IN (SELECT pid FROM merging) AND {doubled}"
_MOVE = """
UPDATE {table} SET {person} = (SELECT into_pid FROM merging WHERE pid = {table}.{person})
WHERE {person} IN (SELECT pid FROM merging)
"""
_STRANGERS = """
SELECT p.*, m.into_pid, k.attributes AS known FROM merging m
JOIN people p ON p.pid = m.pid AND p.revision = m.revision
JOIN people k ON k.pid = m.into_pid ORDER BY m.place
"""
_SHARE = """
UPDATE people SET other_writers = TRUE WHERE pid IN (
    SELECT k.pid FROM merging m JOIN people p ON p.pid = m.pid JOIN people k ON k.pid = m.into_pid
    WHERE p.other_writers OR p.first_writer <> k.first_writer
)
"""
_JOIN = "UPDATE people SET contributors = contributors || :contributors WHERE pid = :into"
_FORGET = """
DELETE FROM people
WHERE EXISTS (SELECT 1 FROM merging m WHERE m.pid = people.pid AND m.revision = people.revision)
"""


def absorb(connection: sa.Connection, workspace_id: int, writer: Writer, rows: pa.Table) -> bool:
    """Move what strangers have to those into whom a slice's rows merge them, and write it down.

    Attributes are in the rows. False if a stranger was changed since the decision.
    """
    merging = _merging(rows)
    count = len(merging["pid"])
    if not count:
        return True
    stage(connection, "merging", _MERGING, merging)
    strangers = _rows(connection, _STRANGERS)
    if len(strangers) < count:
        return False
    _write_down(connection, workspace_id, writer, strangers)
    for one in _BELONGINGS:
        if one.other:
            run(connection, one.filled(_GIVE_UP))
        run(connection, one.filled(_MOVE))
    run(connection, _SHARE)
    joining = [{"contributors": one["contributors"], "into": one["into_pid"]} for one in strangers]
    connection.execute(sa.text(_JOIN), joining)
    return run(connection, _FORGET) == count


def _merging(rows: pa.Table) -> dict[str, pa.Array]:
    merged = rows.column("merged").combine_chunks()
    strangers = pc.list_flatten(merged)
    return {
        "place": pa.array(range(len(strangers)), pa.int64()),
        "pid": pc.struct_field(strangers, "pid"),
        "revision": pc.struct_field(strangers, "revision"),
        "into_pid": rows.column("pid").take(pc.list_parent_indices(merged)),
    }


def _write_down(
    connection: sa.Connection, workspace_id: int, writer: Writer, strangers: list[dict[str, Any]]
) -> None:
    shared = {
        "workspace_id": workspace_id, "sync_uid": writer.sync_uid, "run_id": writer.run_id,
        "as_of": writer.as_of, "at": time.time(),
    }  # fmt: skip
    rows = [
        shared | {"pid": pid, "into_pid": into, "moved": json.dumps(one, ensure_ascii=False)}
        for pid, (into, one) in _moved(connection, strangers).items()
    ]
    connection.execute(merges.insert(), rows)


def _moved(
    connection: sa.Connection, strangers: list[dict[str, Any]]
) -> dict[int, tuple[int, dict[str, Any]]]:
    """What each stranger brings along, by pid, and into whom."""
    moved: dict[int, tuple[int, dict[str, Any]]] = {}
    taken: dict[int, set[str]] = {}
    for row in strangers:
        person = {name: value for name, value in row.items() if name in people.c}
        pid, into = row["pid"], row["into_pid"]
        had = taken.setdefault(into, set(json.loads(row["known"])))
        names = sorted(json.loads(row["attributes"]).keys() - had)
        had.update(names)
        its: dict[str, Any] = {one.table.name: [] for one in _BELONGINGS}
        moved[pid] = into, its | {"person": person, "names": names}
    for one in _BELONGINGS:
        for row in _rows(connection, one.filled(_READ)):
            moved[row[one.person]][1][one.table.name].append(row)
    return moved


def _rows(connection: sa.Connection, sql: str) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(sa.text(sql)).mappings()]


def find(
    connection: sa.Connection, workspace_id: int, number: int
) -> tuple[Merge, Mapping[str, Any]] | None:
    """Return a merge that stands, with the known person's row, or None; both are locked."""
    query = _logged(workspace_id).where(merges.c.id == number, merges.c.undone_at.is_(None))
    found = connection.execute(query.with_for_update()).one_or_none()
    if found is None:
        return None
    known = sa.select(people).where(people.c.pid == found.into_pid)
    return _merge(found), dict(connection.execute(known).mappings().one())


def undo(
    connection: sa.Connection, merge: Merge, attributes: str, origins: str, now: float
) -> None:
    """Make the stranger again as it was, with what is left of its belongings.

    The known person keeps the attributes and origins that are given.
    """
    risen = {"revision": people.c.revision + 1, "updated_at": now}
    left = {"attributes": attributes, "origins": origins}
    known = people.c.pid == merge.into_pid
    connection.execute(people.update().where(known).values(risen | left))
    again = {"revision": merge.stranger["revision"] + 1, "updated_at": now}
    connection.execute(people.insert().values({**merge.stranger, **again}))
    for one in _BELONGINGS:
        _give_back(connection, merge, one)
    undone = merges.c.id == merge.number
    connection.execute(merges.update().where(undone).values(undone_at=now))


def _give_back(connection: sa.Connection, merge: Merge, one: _Belonging) -> None:
    rows: Sequence[Mapping[str, Any]] = merge.moved[one.table.name]
    person, keys = one.table.c[one.person], [key.name for key in one.table.primary_key]
    for row in rows:
        its = [one.table.c[key] == row[key] for key in keys if key != one.person]
        if not row["doubled"]:
            mine = one.table.update().where(person == merge.into_pid, *its)
            connection.execute(mine.values({one.person: merge.pid}))
        elif one.thing is not None and _is_there(connection, one.thing, row[one.other]):
            given = {name: value for name, value in row.items() if name != "doubled"}
            connection.execute(one.table.insert().values(given))


def _is_there(connection: sa.Connection, thing: sa.Column[Any], value: int) -> bool:
    return connection.scalar(sa.select(thing).where(thing == value)) is not None


def log(
    workspace: Workspace, limit: int | None, *, after: int = 0, into: int | None = None
) -> list[Merge]:
    """Return merges from the one after a number; `into` leaves those that stand of one person."""
    query = _logged(workspace.id).where(merges.c.id > after)
    if into is not None:
        query = query.where(merges.c.into_pid == into, merges.c.undone_at.is_(None))
    with workspace.database.read() as connection:
        found = connection.execute(query.order_by(merges.c.id).limit(limit)).all()
    return [_merge(row) for row in found]


def _logged(workspace_id: int) -> sa.Select[Any]:
    known = (people.c.id.label("known_id"), people.c.email.label("known_email"))
    joined = sa.select(merges, *known).join_from(merges, people, people.c.pid == merges.c.into_pid)
    return joined.where(merges.c.workspace_id == workspace_id)


def _merge(row: Any) -> Merge:
    return Merge(
        row.id, row.pid, row.into_pid, row.known_id, row.known_email, row.sync_uid, row.run_id,
        row.as_of, row.at, row.undone_at, json.loads(row.moved),
    )  # fmt: skip
