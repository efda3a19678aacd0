"""The tables of docs/internals/state.md."""

import sqlalchemy as sa

from rowlift.db import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

workspaces = sa.Table(
    "workspaces",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("settings", sa.Text, nullable=False),
)

definitions = sa.Table(
    "definitions",
    metadata,
    sa.Column("uid", sa.Text, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("managed", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", sa.Float(53), nullable=False),
    sa.Column("archived_at", sa.Float(53)),
    sa.Index(
        "uq_definitions_live",
        "workspace_id",
        "kind",
        "name",
        unique=True,
        sqlite_where=sa.text("archived_at IS NULL"),
    ),
)

sync_state = sa.Table(
    "sync_state",
    metadata,
    sa.Column("sync_uid", sa.Text, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("paused", sa.Boolean, nullable=False, default=False),
    sa.Column("last_sync_time", sa.BigInteger, nullable=False, default=0),
    sa.Column("paused_by_undo", _ID),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("sync_uid", sa.Text, nullable=False),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("active", sa.Integer),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("lease_until", sa.Float(53), nullable=False),
    sa.Column("source_time", sa.BigInteger),
    sa.Column("image_revision", sa.BigInteger),
    sa.Column("plan", sa.Text, nullable=False, default=""),
    sa.Column("retry_of", _ID),
    sa.Column("undo_of", _ID),
    sa.Column("first_rows", sa.Integer),
    sa.Column("scheduled_for", sa.BigInteger),
    sa.Column("cancelled_by", sa.Text, nullable=False, default=""),
    sa.Column("progress", sa.Text),
    sa.Column("columns", sa.Text),
    sa.Column("counts", sa.Text, nullable=False),
    sa.Column("reason_code", sa.Text, nullable=False, default=""),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("created_at", sa.Float(53), nullable=False),
    sa.Column("finished_at", sa.Float(53)),
    sa.Column("unjudged", sa.Integer, default=1),
    sa.Index(
        "ix_runs_unjudged",
        "workspace_id",
        sqlite_where=sa.text("unjudged = 1"),
    ),
    sa.Index(
        "uq_runs_active",
        "workspace_id",
        unique=True,
        sqlite_where=sa.text("active = 1"),
    ),
    sa.Index("ix_runs_sync", "sync_uid", "id"),
    sa.Index("uq_runs_slot", "sync_uid", "scheduled_for", unique=True),
    sqlite_autoincrement=True,
)

images = sa.Table(
    "images",
    metadata,
    sa.Column("sync_uid", sa.Text, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("key_column", sa.Text, nullable=False),
    sa.Column("columns", sa.Text, nullable=False),
    sa.Column("form", sa.Text, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("present", sa.BigInteger, nullable=False),
    sa.Column("run_id", _ID, nullable=False),
    sa.Column("forgotten", sa.BigInteger, nullable=False, server_default="0"),
)

ledgers = sa.Table(
    "ledgers",
    metadata,
    sa.Column("sync_uid", sa.Text, primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("restored", sa.Integer, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("settled", sa.BigInteger, nullable=False),
    sa.Column("mapping", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
)

files = sa.Table(
    "files",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("sync_uid", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False, default=""),
    sa.Column("run_id", _ID),
    sa.Column("delivery_id", _ID),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False, default=0),
    sa.Column("bytes", sa.BigInteger, nullable=False, default=0),
    sa.Column("created_at", sa.Float(53), nullable=False),
    sa.Column("dead_at", sa.Float(53)),
    sa.Index("ix_files_owner", "sync_uid", "target", "kind", "state"),
    sqlite_autoincrement=True,
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("sync_uid", sa.Text, nullable=False),
    sa.Column("destination_uid", sa.Text, nullable=False),
    sa.Column("run_id", _ID, nullable=False),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("active", sa.Integer),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("lease_until", sa.Float(53), nullable=False),
    sa.Column("image_revision", sa.BigInteger),
    sa.Column("epoch", sa.Integer, nullable=False, default=0),
    sa.Column("suppressions", sa.BigInteger, nullable=False, default=0),
    sa.Column("ledger_revision", sa.BigInteger),
    sa.Column("next_spec", sa.Text),
    sa.Column("next_run_id", _ID),
    sa.Column("cancelled_by", sa.Text, nullable=False, default=""),
    sa.Column("progress", sa.Text),
    sa.Column("counts", sa.Text, nullable=False),
    sa.Column("reason_code", sa.Text, nullable=False, default=""),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("created_at", sa.Float(53), nullable=False),
    sa.Column("finished_at", sa.Float(53)),
    sa.Column("unjudged", sa.Integer, default=1),
    sa.Index(
        "ix_deliveries_unjudged",
        "workspace_id",
        sqlite_where=sa.text("unjudged = 1"),
    ),
    sa.Index(
        "uq_deliveries_active",
        "sync_uid",
        "destination_uid",
        unique=True,
        sqlite_where=sa.text("active = 1"),
    ),
    sa.Index("ix_deliveries_run", "run_id"),
    sa.Index("ix_deliveries_target", "sync_uid", "destination_uid", "id"),
    sqlite_autoincrement=True,
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("delivery_id", _ID, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False, default=""),
    sa.Column("outcomes", sa.Text, nullable=False, default="{}"),
    sa.Column("updated_at", sa.Float(53), nullable=False),
)

budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("next_at", sa.Float(53), nullable=False),
)
