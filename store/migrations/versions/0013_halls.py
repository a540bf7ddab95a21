"""Halls' own browsers and their line tests."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "meeting_hall_code",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("hall", sa.String(32), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_meeting_hall_code"),
    )
    op.create_table(
        "meeting_hall_device",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("hall", sa.String(32), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("paired_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_meeting_hall_device"),
    )
    op.create_index("ix_meeting_hall_device_hall", "meeting_hall_device", ["hall"])
    op.create_table(
        "meeting_line_test",
        sa.Column("hall", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hall", name="pk_meeting_line_test"),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("meeting_line_test", "meeting_hall_device", "meeting_hall_code"):
        op.drop_table(table)
