"""Which audiences are computed, how far that is, and how many people each had.

`asked` rises with whatever may change who belongs, `answered` is what it was when the members were
looked for last; `spec` is whom they were looked for by.
"""

import sqlalchemy as sa

from rowlift.db import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

audiences = sa.Table(
    "audiences",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("uid", sa.Text, nullable=False, unique=True),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("asked", sa.BigInteger, nullable=False),
    sa.Column("answered", sa.BigInteger, nullable=False),
    sa.Column("active", sa.Integer),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("lease_until", sa.Float(53), nullable=False),
    sa.Column("cancelled_by", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason_code", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("looked_at", sa.Float(53), nullable=False),  # 0: never
    sa.Column("seconds", sa.Float(53), nullable=False),  # that the last look took
    sa.Column("next_at", sa.Float(53), nullable=False),  # not before, after a failure
    sqlite_autoincrement=True,
)

audience_sizes = sa.Table(
    "audience_sizes",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("uid", sa.Text, nullable=False),
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Column("members", sa.BigInteger, nullable=False),
    sa.Column("entered", sa.BigInteger, nullable=False),
    sa.Column("left", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Float(53), nullable=False),
    sa.Index("ix_audience_sizes_uid", "uid", "id"),
    sqlite_autoincrement=True,
)
