"""The tables of schedules, of who asked for runs, and of the service that serves a workspace."""

import sqlalchemy as sa

from rowlift.db import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

schedules = sa.Table(
    "schedules",
    metadata,
    sa.Column("sync_uid", sa.Text, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("schedule", sa.Text, nullable=False),
    sa.Column("anchor", sa.BigInteger, nullable=False),
    sa.Column("settled", sa.BigInteger, nullable=False),
    sa.Column("next_at", sa.BigInteger),
    sa.Column("waiting_for", sa.BigInteger),
    sa.Column("skipped_since", sa.BigInteger),
    sa.Column("skipped", sa.Integer, nullable=False, default=0),
    sa.Index("ix_schedules_workspace", "workspace_id"),
)

triggers = sa.Table(
    "triggers",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("sync_uid", sa.Text, nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Float(53), nullable=False),
    sa.Column("allow_removals", sa.Boolean, nullable=False, default=False),
    sa.Column("open", sa.Integer),
    sa.Column("run_id", _ID),
    sa.Column("reason_code", sa.Text, nullable=False, default=""),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("plan", sa.Text, nullable=False, default=""),
    sa.Column("retry_of", _ID, nullable=False, default=0),
    sa.Index(
        "uq_triggers_open",
        "sync_uid",
        "plan",
        "retry_of",
        unique=True,
        sqlite_where=sa.text("open = 1"),
    ),
    sa.Index("ix_triggers_workspace", "workspace_id", "id"),
    sqlite_autoincrement=True,
)

services = sa.Table(
    "services",
    metadata,
    sa.Column("id", _ID, primary_key=True, autoincrement=False),  # the workspace's
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("active", sa.Integer),
    sa.Column("lease_until", sa.Float(53), nullable=False),
    sa.Column("started_at", sa.Float(53), nullable=False),
    sa.Column("beat_at", sa.Float(53), nullable=False),
)
