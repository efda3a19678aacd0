"""Members of audiences: segments whose people are computed, as the difference to those in it."""

import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import sqlalchemy as sa

from rowlift.core.audiences import AudienceSpec
from rowlift.core.errors import ConfigError
from rowlift.core.spelling import did_you_mean
from rowlift.db import Database
from rowlift.workspace import suppression
from rowlift.workspace.conditions import World, first, whoever, within
from rowlift.workspace.membership import keep
from rowlift.workspace.numbers import handed_out
from rowlift.workspace.tables import people, segment_members, segments, suppression_keys
from rowlift.workspace.workspace import Workspace

SLICE = 20_000  # people who enter or leave in one transaction
WORTH_TWO = 50_000  # people, whom two connections look at
_LAST = 2**63 - 1
# What is in a list of people is found by hash, which wants room for the list.
_ROOM = "SET LOCAL work_mem = '256MB'"


@dataclass(frozen=True, slots=True)
class Moves:
    """The numbers of the people who are to enter, and of those who are to leave."""

    entering: Sequence[int]
    leaving: Sequence[int]

    def slices(self) -> Iterator["Moves"]:
        """Yield them in parts that are small enough for one transaction."""
        for start in range(0, len(self.leaving), SLICE):
            yield Moves((), self.leaving[start : start + SLICE])
        for start in range(0, len(self.entering), SLICE):
            yield Moves(self.entering[start : start + SLICE], ())


@dataclass(frozen=True, slots=True)
class Somebody:
    """One person of an audience, by what they are known by."""

    number: int
    id: str | None
    email: str | None


def own_segment(
    connection: sa.Connection, workspace: Workspace, name: str, uid: str, others: Collection[str]
) -> int:
    """Return the id of an audience's segment, made or renamed where that is due.

    One that belonged to an audience that is none of the `others` any more is taken over. Raises
    ConfigError NAME_TWICE where people were put into a segment of that name by hand or by a sync.
    """
    ours = segments.c.workspace_id == workspace.id
    mine = connection.scalar(sa.select(segments.c.id).where(ours, segments.c.audience_uid == uid))
    taken = connection.execute(
        sa.select(segments.c.id, segments.c.audience_uid).where(ours, segments.c.name == name)
    ).one_or_none()
    if taken is not None and taken.id != mine:
        is_left = taken.audience_uid is not None and taken.audience_uid not in others
        if mine is not None or not is_left:
            text = f"There is a segment {name} already, which is not of this audience."
            raise ConfigError("NAME_TWICE", text, mend="Give the audience another name.")
        mine = taken.id
    if mine is None:
        row = {
            "workspace_id": workspace.id, "name": name, "created_at": time.time(),
            "audience_uid": uid,
        }  # fmt: skip
        made = segments.insert().values(row).returning(segments.c.id)
        return int(connection.scalar(made) or 0)
    named = segments.update().where(segments.c.id == mine)
    connection.execute(named.values(name=name, audience_uid=uid))
    return int(mine)


def whom(
    connection: sa.Connection, workspace: Workspace, spec: AudienceSpec, now: float, seed: str
) -> sa.Select[int]:
    """Return the query for the numbers of the people whom a spec means at a moment.

    The seed tells how one audience is split from how others are.

    Raises ConfigError NAME_UNKNOWN where it names a segment that is not there.
    """
    query = sa.select(segments.c.name, segments.c.id).where(segments.c.workspace_id == workspace.id)
    known = {row.name: row.id for row in connection.execute(query)}
    for name in sorted(spec.segments - known.keys()):
        text = f'There is no segment "{name}" yet.{did_you_mean(name, known)}'
        mend = "Make it, or let what fills it run first: rowlift segments create NAME"
        raise ConfigError("NAME_UNKNOWN", text, mend=mend)
    world = World(workspace.id, known, now, workspace.database.is_sqlite)
    if not world.is_sqlite:
        connection.exec_driver_sql(_ROOM)
    chosen = whoever(world, spec.where, spec.left_out)
    if spec.share:
        chosen = chosen.where(within(people.c.pid, spec.share, seed))
    return first(world, chosen, spec.limit) if spec.limit else chosen


def moves(
    database: Database, segment_id: int, chosen: sa.Select[int], *, from_all: bool = False
) -> Moves:
    """Return who has to enter and to leave a segment so that it has those who were chosen.

    Two connections look at half of the people each, as nobody has a say in whether another one is
    chosen; unless they are chosen `from_all`, as the first few are.
    """
    with database.read() as connection:
        most = handed_out(connection, "people")
    if from_all or most < WORTH_TWO:
        return _moves(database, segment_id, chosen, 0, _LAST)
    halves = ((0, most // 2), (most // 2 + 1, _LAST))
    with ThreadPoolExecutor(len(halves), "halves") as readers:
        first, second = readers.map(
            lambda half: _moves(database, segment_id, chosen, *half), halves
        )
    return Moves([*first.entering, *second.entering], [*first.leaving, *second.leaving])


def _moves(
    database: Database, segment_id: int, chosen: sa.Select[int], since: int, until: int
) -> Moves:
    inside = segment_members.c
    wanted = chosen.where(people.c.pid.between(since, until)).subquery()
    staying = sa.select(inside.pid, sa.literal(-1)).where(
        inside.segment_id == segment_id, inside.pid.between(since, until)
    )
    both = sa.union_all(sa.select(wanted.c.pid, sa.literal(1).label("side")), staying).subquery()
    side = sa.func.sum(both.c.side)
    differing = (
        sa.select(both.c.pid, side).group_by(both.c.pid).having(side != 0).order_by(both.c.pid)
    )
    with database.read() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql(_ROOM)
        found = connection.execute(differing).all()
    return Moves([pid for pid, side in found if side > 0], [pid for pid, side in found if side < 0])


def settle(
    connection: sa.Connection, workspace: Workspace, segment_id: int, uid: str, step: Moves
) -> tuple[int, int]:
    """Let people enter and leave and return how many did; who is suppressed does not enter."""
    hidden = _suppressed(connection, workspace, step.entering)
    comers = [pid for pid in step.entering if pid not in hidden]
    return keep(connection, segment_id, uid, comers, list(step.leaving))


def members(connection: sa.Connection, segment_id: int) -> int:
    """Return how many people a segment has."""
    inside = segment_members.c.segment_id == segment_id
    return int(connection.scalar(sa.select(sa.func.count()).where(inside)) or 0)


def sample(
    connection: sa.Connection, workspace: Workspace, chosen: sa.Select[int], most: int
) -> tuple[int, list[Somebody]]:
    """Return how many people were chosen, and some of them, nobody who is suppressed."""
    wanted = chosen.subquery()
    size = int(connection.scalar(sa.select(sa.func.count()).select_from(wanted)) or 0)
    some = list(connection.scalars(sa.select(wanted.c.pid).order_by(wanted.c.pid).limit(most)))
    hidden = suppression.hidden(connection, workspace.id, some)
    person = people.c
    query = sa.select(person.pid, person.id, person.email).where(
        person.pid.in_([one for one in some if one not in hidden])
    )
    return size, [Somebody(*row) for row in connection.execute(query.order_by(person.pid))]


def overlap(connection: sa.Connection, first_id: int, second_id: int) -> int:
    """Return how many people two segments have in common."""
    one, other = segment_members.alias(), segment_members.alias()
    query = (
        sa.select(sa.func.count())
        .select_from(one.join(other, one.c.pid == other.c.pid))
        .where(one.c.segment_id == first_id, other.c.segment_id == second_id)
    )
    return int(connection.scalar(query) or 0)


def _suppressed(
    connection: sa.Connection, workspace: Workspace, pids: Sequence[int]
) -> frozenset[int]:
    """Return which people are suppressed; nobody is meanwhile, until the transaction ends."""
    if not pids:
        return frozenset()
    held = sa.select(suppression_keys.c.key).where(suppression_keys.c.workspace_id == workspace.id)
    if connection.scalar(held.with_for_update()) is None:
        return frozenset()
    return suppression.hidden(connection, workspace.id, pids)
