"""How far each forward is in the workspace's events, and what did not go.

All up to `position` is settled; of what comes after it, `settled` lists the numbers that are too.
The window that was begun last ends at `upto`.
"""

import sqlalchemy as sa

from rowlift.db import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

forwards = sa.Table(
    "forwards",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("uid", sa.Text, nullable=False, unique=True),
    sa.Column("position", _ID, nullable=False),
    sa.Column("upto", _ID, nullable=False),
    sa.Column("settled", sa.Text, nullable=False),  # JSON list of numbers
    sa.Column("active", sa.Integer),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("lease_until", sa.Float(53), nullable=False),
    sa.Column("cancelled_by", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason_code", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),  # that failed since something was settled
    sa.Column("next_at", sa.Float(53), nullable=False),
    sa.Column("delivered", sa.BigInteger, nullable=False),
    sa.Column("rejected", sa.BigInteger, nullable=False),
    sa.Column("suppressed", sa.BigInteger, nullable=False),
    sa.Column("skipped", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

forward_rejects = sa.Table(
    "forward_rejects",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("uid", sa.Text, nullable=False, index=True),  # of the forward
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("identifier", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
