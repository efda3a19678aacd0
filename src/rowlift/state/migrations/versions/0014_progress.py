"""How far work under way is, and which columns the query of a run had."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the columns."""
    op.add_column("runs", sa.Column("progress", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("columns", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("progress", sa.Text(), nullable=True))
