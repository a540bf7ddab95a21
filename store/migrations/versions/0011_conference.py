"""A meeting's main venue, its chair and its end; what the chair decided; the sign-in sheet."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and tables."""
    with op.batch_alter_table("meeting") as meeting:
        meeting.add_column(sa.Column("main", sa.String(32), nullable=True))
        meeting.add_column(sa.Column("owner", sa.String(64), nullable=True))
        meeting.add_column(sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "meeting_conference",
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("meeting_id", name="pk_meeting_conference"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name="fk_meeting_conference_meeting_id_meeting"),
    )
    op.create_table(
        "meeting_sign_in",
        sa.Column("meeting_id", sa.Integer(), nullable=False),
        sa.Column("hall", sa.String(32), nullable=False),
        sa.Column("heads", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("meeting_id", "hall", name="pk_meeting_sign_in"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name="fk_meeting_sign_in_meeting_id_meeting"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("meeting_sign_in")
    op.drop_table("meeting_conference")
    with op.batch_alter_table("meeting") as meeting:
        meeting.drop_column("ended_at")
        meeting.drop_column("owner")
        meeting.drop_column("main")
