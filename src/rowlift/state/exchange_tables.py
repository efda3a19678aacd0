"""The table of the last requests to destinations and their replies, as they may be shown.

No secret stands in it; values of rows do, so that an erasure empties it.
"""

import sqlalchemy as sa

from rowlift.db import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

exchanges = sa.Table(
    "exchanges",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("destination_uid", sa.Text, nullable=False),
    sa.Column("sync_uid", sa.Text, nullable=False),
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Column("seconds", sa.Float(53), nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("headers", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("body_bytes", sa.Integer, nullable=False),
    sa.Column("status", sa.Integer),  # NULL: no reply
    sa.Column("reply_headers", sa.Text, nullable=False),
    sa.Column("reply", sa.Text, nullable=False),  # its body, or why there is none
    sa.Index("ix_exchanges_destination", "destination_uid", "id"),
    sqlite_autoincrement=True,
)
