"""The tables between an accepted request and the workspace.

`ingested` holds accepted bodies byte for byte until their messages are written.
"""

import sqlalchemy as sa

from rowlift.db import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

write_keys = sa.Table(
    "write_keys",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.Column("ending", sa.Text, nullable=False),  # what a person tells keys apart by
    sa.Column("created_at", sa.Float(53), nullable=False),
    sa.Column("revoked_at", sa.Float(53)),
    sa.Index(
        "uq_write_keys_live",
        "workspace_id",
        "name",
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

ingested = sa.Table(
    "ingested",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("type", sa.Text, nullable=False),  # of its message; empty: the body is a batch
    sa.Column("received_at", sa.Float(53), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

message_ids = sa.Table(
    "message_ids",
    metadata,
    sa.Column("workspace_id", _ID, primary_key=True, autoincrement=False),
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("seen_at", sa.Float(53), nullable=False, index=True),
)

message_rejects = sa.Table(
    "message_rejects",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("identifier", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
