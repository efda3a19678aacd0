"""Drafts of audiences, beside those of syncs."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Make the column."""
    op.add_column("drafts", sa.Column("kind", sa.Text(), nullable=False, server_default="sync"))
