"""Conditions on people as one query, on SQLite and on PostgreSQL.

PostgreSQL wants `work_mem` for whoever is in a segment or did something: it would look through a
list that it has no room for once for each person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct

import sqlalchemy as sa

from rowlift.core.audiences import (
    IDENTIFIERS,
    WHOLE,
    Condition,
    Did,
    Inside,
    Joined,
    Limit,
    Related,
    Share,
    Valued,
    parts,
)
from rowlift.workspace.tables import objects, people, relationships, segment_members, tracked
from rowlift.workspace.values import (
    Answer,
    Columns,
    PostgresRecord,
    Record,
    SqliteRecord,
    Text,
    fails,
    passes,
    taken_out,
)

_PRIME = 999_983  # 2 more than a multiple of three
_KEYS = Struct(">III")


@dataclass(frozen=True, slots=True)
class World:
    """What conditions are asked about: a workspace, its segments by name, and the moment it is."""

    workspace_id: int
    segments: Mapping[str, int]
    now: float
    is_sqlite: bool

    @property
    def moment(self) -> datetime:
        """Return the moment it is."""
        return datetime.fromtimestamp(self.now, UTC)

    def record(self, column: Text) -> Record:
        """Return the values of a JSON text."""
        return SqliteRecord(column) if self.is_sqlite else PostgresRecord(column)


def whoever(world: World, where: Condition, exclude: Condition | None = None) -> sa.Select[int]:
    """Return the query for the numbers of the people who meet one condition and not another."""
    asked = [one for one in (where, exclude) if one is not None]
    columns = {name: people.c[name] for name in IDENTIFIERS}
    # Plus 0, or SQLite takes an index on the workspace, and everybody in the order of their ids.
    theirs: sa.ColumnElement[int] = people.c.workspace_id
    theirs = theirs + 0 if world.is_sqlite else theirs
    query = sa.select(people.c.pid).where(theirs == world.workspace_id)
    if world.is_sqlite:
        record: Record = SqliteRecord(people.c.attributes)
    else:
        names = sorted({name for one in asked for name in _attributes(one)} - {*columns})
        table = taken_out(people.c.attributes, names)
        known = {} if table is None else dict(table.c.items())
        record = PostgresRecord(people.c.attributes, known)
        if table is not None:
            query = query.select_from(people.join(table, sa.true()))
    person = Columns(columns, record)
    query = query.where(_holds(world, where, person, people.c.pid))
    if exclude is not None:
        query = query.where(fails(_holds(world, exclude, person, people.c.pid)))
    return query


def first(world: World, chosen: sa.Select[int], limit: Limit) -> sa.Select[int]:
    """Return the query for the first of some people; among equals the longest known come first."""
    number = world.record(people.c.attributes).value(limit.by).number
    order = number.desc() if limit.order == "highest" else number.asc()
    return (
        sa.select(people.c.pid)
        .where(people.c.pid.in_(chosen))
        .order_by(order.nulls_last(), people.c.pid)
        .limit(limit.most)
    )


def within(pid: sa.Column[int], share: Share, seed: str) -> Answer:
    """Tell whether a person is in a part; everybody's number is shuffled, the same way each time.

    Modulo such a prime no two numbers have one cube, so that no remainder has more people.
    """
    mixed: sa.ColumnElement[int] = pid
    for key in _KEYS.unpack(sha256(seed.encode()).digest()[: _KEYS.size]):
        rest = (mixed + key) % _PRIME
        mixed = (rest * rest % _PRIME) * rest % _PRIME
    first, last = share.since * _PRIME, (share.since + share.size) * _PRIME
    return sa.and_(mixed * WHOLE >= first, mixed * WHOLE < last)


def _attributes(condition: Condition) -> frozenset[str]:
    """Return the names of the people's own attributes that a condition asks for."""
    match condition:
        case Valued(attribute=name):
            return frozenset({name})
        case Joined():
            return frozenset().union(*(_attributes(one) for one in parts(condition)))
    return frozenset()


def _holds(world: World, condition: Condition, record: Record, pid: sa.Column[int]) -> Answer:
    match condition:
        case Joined(join=join, of=of):
            answers = [_holds(world, one, record, pid) for one in of]
            if join == "all":
                return sa.and_(sa.true(), *answers)
            any_of = sa.or_(sa.false(), *answers)
            return any_of if join == "any" else fails(any_of)
        case Valued(attribute=name, tests=tests):
            value = record.value(name)
            return sa.and_(*(passes(value, test, world.moment, record.tongue) for test in tests))
        case Did():
            return _did(world, condition, pid)
        case Related():
            return pid.in_(_related(world, condition))
        case Inside(segment=name):
            inside = segment_members.c
            return pid.in_(sa.select(inside.pid).where(inside.segment_id == world.segments[name]))


def _did(world: World, asked: Did, pid: sa.Column[int]) -> Answer:
    """Who did nothing is in no group: at least none, or at most so many, is what others did not."""
    answers = []
    if asked.at_least:
        answers.append(pid.in_(_doers(world, asked, asked.at_least)))
    if asked.at_most is not None:
        answers.append(pid.not_in(_doers(world, asked, asked.at_most + 1)))
    return sa.and_(sa.true(), *answers)


def _doers(world: World, asked: Did, times: int) -> sa.Select[int]:
    event = tracked.c
    query = sa.select(event.pid).where(
        event.workspace_id == world.workspace_id,
        event.kind == asked.type,
        event.name == asked.event,
    )
    if asked.within_last is not None:
        since = world.moment - timedelta(seconds=asked.within_last)
        query = query.where(event.at >= since.timestamp(), event.at <= world.now)
    if asked.where is not None:
        properties = world.record(event.properties)
        query = query.where(_holds(world, asked.where, properties, event.pid))
    if times == 1:
        return query
    return query.group_by(event.pid).having(sa.func.count() >= times)


def _related(world: World, asked: Related) -> sa.Select[int]:
    query = (
        sa.select(relationships.c.person_pid)
        .join(objects, objects.c.pid == relationships.c.object_pid)
        .where(
            objects.c.workspace_id == world.workspace_id,
            objects.c.object_type == asked.type,
        )
    )
    end = relationships.c.person_pid
    if asked.where is not None:
        thing = Columns({"object_id": objects.c.object_id}, world.record(objects.c.attributes))
        query = query.where(_holds(world, asked.where, thing, end))
    if asked.relationship is not None:
        joining = world.record(relationships.c.attributes)
        query = query.where(_holds(world, asked.relationship, joining, end))
    return query
