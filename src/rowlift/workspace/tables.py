"""The tables of people, objects and what joins them; attributes and origins are JSON texts.

`attributes` is canonical and never holds a null. The row's last writer (sync, run, as-of in Unix
seconds) wrote all attributes that `origins` does not name: a list of {sync, run, as_of, names}.
`first_writer` and `other_writers` tell whether something other than one sync made a person known.
`contributors` are the syncs that wrote the record and have not taken that back, each as |uid|; one
may stand there twice.
`revision` rises with every write of the row, so that a decision made on an older one is noticed.
Events of one row and version are written once, however often a run that failed is repeated.
"""

import sqlalchemy as sa

from rowlift.db import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _record() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("attributes", sa.Text, nullable=False),
        sa.Column("origins", sa.Text, nullable=False),
        sa.Column("sync_uid", sa.Text, nullable=False),
        sa.Column("run_id", _ID, nullable=False),
        sa.Column("as_of", sa.BigInteger, nullable=False),
        sa.Column("first_writer", sa.Text, nullable=False),
        sa.Column("other_writers", sa.Boolean, nullable=False),
        sa.Column("contributors", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("updated_at", sa.Float(53), nullable=False),
    )


people = sa.Table(
    "people",
    metadata,
    sa.Column("pid", _ID, primary_key=True, autoincrement=False),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("id", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("email_key", sa.Text),
    *_record(),
    sa.Index("uq_people_id", "workspace_id", "id", unique=True),
    sa.Index("uq_people_email_key", "workspace_id", "email_key", unique=True),
)

anonymous_ids = sa.Table(
    "anonymous_ids",
    metadata,
    sa.Column("workspace_id", _ID, primary_key=True, autoincrement=False),
    sa.Column("anonymous_id", sa.Text, primary_key=True),
    sa.Column("pid", _ID, nullable=False, index=True),
)

objects = sa.Table(
    "objects",
    metadata,
    sa.Column("pid", _ID, primary_key=True, autoincrement=False),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("object_type", sa.Text, nullable=False),
    sa.Column("object_id", sa.Text, nullable=False),
    *_record(),
    sa.Index("uq_objects_id", "workspace_id", "object_type", "object_id", unique=True),
)

relationships = sa.Table(
    "relationships",
    metadata,
    sa.Column("pid", _ID, primary_key=True, autoincrement=False),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("person_pid", _ID, nullable=False),
    sa.Column("object_pid", _ID, nullable=False),
    *_record(),
    sa.Index("uq_relationships_ends", "person_pid", "object_pid", unique=True),
    sa.Index("ix_relationships_object", "object_pid"),
)

suppression_keys = sa.Table(
    "suppression_keys",
    metadata,
    sa.Column("workspace_id", _ID, primary_key=True, autoincrement=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

suppressions = sa.Table(
    "suppressions",
    metadata,
    sa.Column("number", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("quick", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("since", sa.Float(53), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("root", sa.Text, nullable=False, index=True),  # hash of what it was suppressed for
    sa.Index("uq_suppressions_hash", "workspace_id", "hash", unique=True),
    sqlite_autoincrement=True,
)

segments = sa.Table(
    "segments",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float(53), nullable=False),
    sa.Column("audience_uid", sa.Text),  # whose members are computed
    sa.Index("uq_segments_name", "workspace_id", "name", unique=True),
    sqlite_autoincrement=True,
)

segment_members = sa.Table(
    "segment_members",
    metadata,
    sa.Column("segment_id", _ID, primary_key=True, autoincrement=False),
    sa.Column("pid", _ID, primary_key=True, autoincrement=False, index=True),
    sa.Column("sync_uid", sa.Text, nullable=False),  # empty: put in by hand
    sa.Column("entered_at", sa.Float(53), nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),  # segment_entered | segment_touched | segment_left
    sa.Column("segment_id", _ID, nullable=False),
    sa.Column("pid", _ID, nullable=False),
    sa.Column("sync_uid", sa.Text, nullable=False),
    sa.Column("run_id", _ID),
    sa.Column("version", sa.BigInteger),  # of the row that caused it
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Index("ix_events_person", "pid", "segment_id"),
    sqlite_autoincrement=True,
)

tracked = sa.Table(
    "tracked",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("pid", _ID, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # track | page | screen
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("properties", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("at", sa.Float(53), nullable=False),  # when it happened
    sa.Column("received_at", sa.Float(53), nullable=False),
    sa.Index("ix_tracked_person", "pid", "at"),
    sqlite_autoincrement=True,
)

merges = sa.Table(
    "merges",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("workspace_id", _ID, nullable=False),
    sa.Column("pid", _ID, nullable=False, index=True),
    sa.Column("into_pid", _ID, nullable=False, index=True),
    sa.Column("sync_uid", sa.Text, nullable=False),
    sa.Column("run_id", _ID, nullable=False),
    sa.Column("as_of", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Column("undone_at", sa.Float(53)),
    sa.Column("moved", sa.Text, nullable=False),  # JSON, see merges.py
    sqlite_autoincrement=True,
)

numbers = sa.Table(
    "numbers",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("next", sa.BigInteger, nullable=False),
)

slices = sa.Table(
    "slices",
    metadata,
    sa.Column("run_id", _ID, primary_key=True, autoincrement=False),
    sa.Column("part", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("late", sa.Text, nullable=False, default="[]"),
)
