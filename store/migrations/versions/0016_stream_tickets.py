"""Links for other programs: WHIP publishers and WHEP viewers."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "meeting_stream_ticket",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("issued_by", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name="fk_meeting_stream_ticket_meeting_id_meeting"),
        sa.PrimaryKeyConstraint("id", name="pk_meeting_stream_ticket"),
        sa.UniqueConstraint("digest", name="uq_meeting_stream_ticket_digest"),
    )
    op.create_index("ix_meeting_stream_ticket_meeting_id", "meeting_stream_ticket", ["meeting_id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_meeting_stream_ticket_meeting_id", "meeting_stream_ticket")
    op.drop_table("meeting_stream_ticket")
