"""The id and the address of one person, changed by hand."""

from typing import Any

import sqlalchemy as sa

from rowlift.core.identifiers import email_key
from rowlift.workspace.tables import people


def held(connection: sa.Connection, pid: int) -> tuple[str | None, str | None] | None:
    """Return a person's id and address as they are now, locked; None if there is none any more."""
    query = sa.select(people.c.id, people.c.email).where(people.c.pid == pid).with_for_update()
    found = connection.execute(query).one_or_none()
    return (found.id, found.email) if found else None


def is_taken(
    connection: sa.Connection, workspace_id: int, pid: int, *, id: str = "", email: str = ""  # noqa: A002
) -> bool:  # fmt: skip
    """Tell whether somebody else has an id, or an address however it is spelled."""
    same = people.c.id == id if id else people.c.email_key == email_key(email)
    query = sa.select(people.c.pid).where(people.c.workspace_id == workspace_id, same)
    return connection.scalar(query.where(people.c.pid != pid).limit(1)) is not None


def give(
    connection: sa.Connection, pid: int, id: str | None, email: str | None, now: float  # noqa: A002
) -> None:  # fmt: skip
    """Give a person an id and an address; what was decided of the row before no longer counts."""
    values: dict[str, Any] = {"id": id, "email": email, "updated_at": now}
    values["email_key"] = email_key(email) if email else None
    risen = people.c.revision + 1
    connection.execute(people.update().where(people.c.pid == pid).values(**values, revision=risen))
