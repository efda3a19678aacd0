"""The tables of alerts: what is wrong, what is not told yet, and what goes to channels."""

import sqlalchemy as sa

from rowlift.db import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

alert_states = sa.Table(
    "alert_states",
    metadata,
    sa.Column("workspace_id", _ID, primary_key=True, autoincrement=False),
    sa.Column("rule", sa.Text, primary_key=True),
    sa.Column("sync_uid", sa.Text, primary_key=True),
    sa.Column("destination_uid", sa.Text, primary_key=True),  # empty: the sync's own run
    sa.Column("run_id", _ID),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("since", sa.Float(53), nullable=False),
    sa.Column("told", sa.Text, nullable=False),  # the uids of channels, who hear when it is over
)

alert_notices = sa.Table(
    "alert_notices",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("channel_uid", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Index("ix_alert_notices_channel", "workspace_id", "channel_uid", "id"),
    sqlite_autoincrement=True,
)

alert_messages = sa.Table(
    "alert_messages",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("channel_uid", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False, unique=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float(53), nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", sa.Float(53), nullable=False),
    sa.Column("lease_until", sa.Float(53), nullable=False),
    sa.Column("tried_at", sa.Float(53)),
    sa.Column("reason_code", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Index("ix_alert_messages_channel", "workspace_id", "channel_uid", "id"),
    sqlite_autoincrement=True,
)
