"""How many rows of its query a run takes, where it only tries them."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Make the column."""
    op.add_column("runs", sa.Column("first_rows", sa.Integer(), nullable=True))
