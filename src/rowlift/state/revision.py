"""Which tables a state database holds, told without loading the migrations."""

import sqlalchemy as sa

from rowlift.db import Database

HEAD = "0019"  # the last of state/migrations/versions


def current(database: Database) -> str | None:
    """Return the revision of the tables, or None where there are none."""
    with database.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return None if found is None else str(found)
