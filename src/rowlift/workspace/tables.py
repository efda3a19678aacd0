"""The tables of people and objects; attributes and origins are JSON texts.

`origins` names sync, run and as-of of each attribute that the row's last run did not write.
`first_writer` and `other_writers` tell whether something other than one sync made a person known.
"""

import sqlalchemy as sa

from rowlift.db import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _provenance() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("attributes", sa.Text, nullable=False),
        sa.Column("origins", sa.Text, nullable=False),
        sa.Column("sync_uid", sa.Text, nullable=False),
        sa.Column("run_id", _ID, nullable=False),
        sa.Column("as_of", sa.BigInteger, nullable=False),
        sa.Column("first_writer", sa.Text, nullable=False),
        sa.Column("other_writers", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("updated_at", sa.Float(53), nullable=False),
    )


people = sa.Table(
    "people",
    metadata,
    sa.Column("pid", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("id", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("email_key", sa.Text),
    *_provenance(),
    sa.Index("uq_people_id", "workspace_id", "id", unique=True),
    sa.Index("uq_people_email_key", "workspace_id", "email_key", unique=True),
    sqlite_autoincrement=True,
)

anonymous_ids = sa.Table(
    "anonymous_ids",
    metadata,
    sa.Column("workspace_id", _ID, primary_key=True),
    sa.Column("anonymous_id", sa.Text, primary_key=True),
    sa.Column("pid", _ID, nullable=False, index=True),
)

objects = sa.Table(
    "objects",
    metadata,
    sa.Column("oid", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("object_type", sa.Text, nullable=False),
    sa.Column("object_id", sa.Text, nullable=False),
    *_provenance(),
    sa.Index("uq_objects_id", "workspace_id", "object_type", "object_id", unique=True),
    sqlite_autoincrement=True,
)

slices = sa.Table(
    "slices",
    metadata,
    sa.Column("run_id", _ID, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("rows", sa.Integer, nullable=False),
)
