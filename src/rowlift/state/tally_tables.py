"""The table of what has happened since the beginning; it outlives what it counts."""

import sqlalchemy as sa

from rowlift.db import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

tallies = sa.Table(
    "tallies",
    metadata,
    sa.Column("workspace_id", _ID, primary_key=True, autoincrement=False),
    sa.Column("sync_uid", sa.Text, primary_key=True),  # empty: of the workspace itself
    sa.Column("target", sa.Text, primary_key=True),  # a destination's uid, or empty
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("label", sa.Text, primary_key=True),
    sa.Column("value", sa.Float(53), nullable=False),
)
