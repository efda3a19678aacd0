"""What definitions were, the secrets of those made in Rowlift, and what is still being written."""

import sqlalchemy as sa

from rowlift.db import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

definition_versions = sa.Table(
    "definition_versions",
    metadata,
    sa.Column("uid", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("archived", sa.Boolean, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float(53), nullable=False),
)

secrets = sa.Table(
    "secrets",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("uid", sa.Text, nullable=False, index=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float(53), nullable=False),
)

drafts = sa.Table(
    "drafts",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("owner", _ID, nullable=False),  # a user, or 0 for who works at the machine
    sa.Column("kind", sa.Text, nullable=False, server_default="sync"),  # sync | audience
    sa.Column("sync_uid", sa.Text, nullable=False, default=""),  # of what it edits
    sa.Column("base", sa.Integer, nullable=False, default=0),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("view", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Float(53), nullable=False),
    sa.Column("updated_at", sa.Float(53), nullable=False),
    sa.Index("ix_drafts_owner", "workspace_id", "owner"),
    sqlite_autoincrement=True,
)
