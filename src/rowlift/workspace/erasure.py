"""Take people out of the workspace's tables for good."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from rowlift.workspace.tables import anonymous_ids, people

_FORGET_LATE = """
UPDATE slices SET late = '[]'
WHERE late <> '[]' AND run_id NOT IN (SELECT id FROM runs WHERE active = 1)
"""


def pids(
    connection: sa.Connection, workspace_id: int, identifiers: Mapping[str, Sequence[str]]
) -> list[int]:
    """Return the people whom identifiers name, given by kind with addresses case-folded."""
    owners = sa.select(anonymous_ids.c.pid).where(
        anonymous_ids.c.workspace_id == workspace_id,
        anonymous_ids.c.anonymous_id.in_(identifiers["anonymous_id"]),
    )
    query = sa.select(people.c.pid).where(
        people.c.workspace_id == workspace_id,
        sa.or_(
            people.c.id.in_(identifiers["id"]),
            people.c.email_key.in_(identifiers["email"]),
            people.c.pid.in_(owners),
        ),
    )
    return list(connection.scalars(query))


def forget_late(connection: sa.Connection) -> None:
    """Forget what finished runs noted of rows that came too late: it stands in their rejects."""
    connection.execute(sa.text(_FORGET_LATE))
