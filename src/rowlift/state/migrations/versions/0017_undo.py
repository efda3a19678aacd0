"""Which run another one takes back, and by which of these a sync is paused."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the columns."""
    op.add_column("runs", sa.Column("undo_of", _ID, nullable=True))
    op.add_column("sync_state", sa.Column("paused_by_undo", _ID, nullable=True))
