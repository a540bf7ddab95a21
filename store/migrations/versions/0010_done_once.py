"""What was asked with a key of the asker's own, so that asking again does it no second time."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "done_once",
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("asked", sa.String(64), nullable=False),
        sa.Column("ref", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("who", "key", name="pk_done_once"),
    )
    op.create_index("ix_done_once_at", "done_once", ["at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("done_once")
