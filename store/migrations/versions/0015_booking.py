"""Repeated and imported meetings, what was told of them, calendars of halls and people, and how each venue fared."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def _columns() -> list[sa.Column[object]]:
    return [
        sa.Column("uid", sa.String(255), nullable=True),
        sa.Column("series", sa.Integer(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("zone", sa.String(64), nullable=True),
        sa.Column("recurrence_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("told", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("capacity", sa.JSON(), nullable=True),
    ]


def upgrade() -> None:
    """Add columns and tables; of meetings that are there nobody is told anew."""
    for column in _columns():  # one by one: SQLite would make the table anew, and others refer to it
        op.add_column("meeting", column)
    op.create_index("ix_meeting_uid", "meeting", ["uid"])
    op.create_index("ix_meeting_series", "meeting", ["series"])
    op.add_column("notification", sa.Column("attachment", sa.Text(), nullable=True))
    op.create_table(
        "meeting_feed",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(72), nullable=False),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_meeting_feed"),
    )
    op.create_table(
        "meeting_quality",
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("hall", sa.String(32), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("meeting_id", "hall", name="pk_meeting_quality"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name="fk_meeting_quality_meeting_id_meeting"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("meeting_quality")
    op.drop_table("meeting_feed")
    op.drop_column("notification", "attachment")
    op.drop_index("ix_meeting_series", "meeting")
    op.drop_index("ix_meeting_uid", "meeting")
    for column in reversed(_columns()):
        op.drop_column("meeting", column.name)
