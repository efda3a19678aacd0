"""The tables of people who work here; secrets are kept as hashes only."""

import sqlalchemy as sa

from rowlift.db import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("email_key", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("password", sa.Text, nullable=False),  # argon2id; empty: signs in elsewhere only
    sa.Column("created_at", sa.Float(53), nullable=False),
    sa.Column("disabled_at", sa.Float(53)),
    sa.Column("version", sa.Integer, nullable=False),  # rises with each change
    sa.Index("uq_users_email_key", "workspace_id", "email_key", unique=True),
    sqlite_autoincrement=True,
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("user_id", _ID, nullable=False, index=True),
    sa.Column("created_at", sa.Float(53), nullable=False),
    sa.Column("seen_at", sa.Float(53), nullable=False),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("user_id", _ID, nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.Column("rights", sa.Text, nullable=False),  # JSON list
    sa.Column("created_at", sa.Float(53), nullable=False),
    sa.Column("expires_at", sa.Float(53), nullable=False),
    sa.Column("seen_at", sa.Float(53)),
    sa.Column("revoked_at", sa.Float(53)),
    sqlite_autoincrement=True,
)

login_failures = sa.Table(
    "login_failures",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("who", sa.Text, nullable=False),  # account:… or address:…
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Index("ix_login_failures_who", "who", "at"),
)

answers = sa.Table(
    "answers",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),  # SHA-256 of who asks and their own key
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("request", sa.Text, nullable=False),  # SHA-256
    sa.Column("asked_at", sa.Float(53), nullable=False, index=True),
    sa.Column("answer", sa.Text),
)

identities = sa.Table(
    "identities",
    metadata,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("workspace_id", _ID, primary_key=True),
    sa.Column("user_id", _ID, nullable=False, index=True),
    sa.Column("created_at", sa.Float(53), nullable=False),
)

logins = sa.Table(
    "logins",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),  # of the state that comes back
    sa.Column("nonce", sa.Text, nullable=False),
    sa.Column("verifier", sa.Text, nullable=False),
    sa.Column("redirect_uri", sa.Text, nullable=False),
    sa.Column("next", sa.Text, nullable=False),
    sa.Column("begun_at", sa.Float(53), nullable=False, index=True),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),  # JSON, secrets masked
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),  # the hash of the line before
    sa.Column("hash", sa.Text, nullable=False),
    sa.Index("ix_audit_workspace", "workspace_id", "id"),
    sqlite_autoincrement=True,
)
