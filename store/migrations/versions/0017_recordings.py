"""Recordings of meetings."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "meeting_recording",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("begun_by", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name="fk_meeting_recording_meeting_id_meeting"),
        sa.PrimaryKeyConstraint("id", name="pk_meeting_recording"),
    )
    op.create_index("ix_meeting_recording_meeting_id", "meeting_recording", ["meeting_id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_meeting_recording_meeting_id", "meeting_recording")
    op.drop_table("meeting_recording")
