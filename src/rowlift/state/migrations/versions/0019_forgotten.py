"""Which revisions of an image a reset forgot, so that no undo brings them back."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Make the column."""
    forgotten = sa.Column("forgotten", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("images", forgotten)
