"""The desk: tickets, their steps and cards, messages to send, shifts, published scores."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "desk_clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settling", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_desk_clock"),
    )
    op.create_table(
        "duty_shift",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("login", sa.String(64), nullable=False),
        sa.Column("running", sa.Integer(), nullable=True),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handed_to", sa.String(64), nullable=False),
        sa.Column("handed_text", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("open_tickets", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_duty_shift"),
        sa.UniqueConstraint("running", name="uq_duty_shift_running"),
    )
    op.create_table(
        "notification",
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recipient", sa.String(64), nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("zh", sa.Text(), nullable=False),
        sa.Column("en", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_notification"),
    )
    op.create_index("ix_notification_sent_at", "notification", ["sent_at"])
    op.create_table(
        "published_score",
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("month", name="pk_published_score"),
    )
    op.create_table(
        "ticket",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("request", sa.String(16), nullable=False),
        sa.Column("class", sa.String(32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("site", sa.String(16), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("fault", sa.Integer(), nullable=True),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("opened_by", sa.String(64), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("team", sa.String(16), nullable=False),
        sa.Column("assignee", sa.String(64), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("respond_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("limit_s", sa.Float(), nullable=False),
        sa.Column("working", sa.Boolean(), nullable=False),
        sa.Column("yellow_share", sa.Float(), nullable=False),
        sa.Column("spent_s", sa.Float(), nullable=False),
        sa.Column("counting_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("yellow_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("waiting_why", sa.Text(), nullable=False),
        sa.Column("answer_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("slow_answers", sa.Integer(), nullable=False),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.Column("satisfaction", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["parent"], ["ticket.id"], name="fk_ticket_parent_ticket"),
        sa.PrimaryKeyConstraint("id", name="pk_ticket"),
        sa.UniqueConstraint("fault", name="uq_ticket_fault"),
    )
    op.create_index("ix_ticket_opened_at", "ticket", ["opened_at"])
    op.create_index("ix_ticket_state", "ticket", ["state"])
    op.create_table(
        "duty_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("shift", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["shift"], ["duty_shift.id"], name="fk_duty_note_shift_duty_shift"),
        sa.PrimaryKeyConstraint("id", name="pk_duty_note"),
    )
    op.create_index("ix_duty_note_shift", "duty_note", ["shift"])
    op.create_table(
        "ticket_mark",
        sa.Column("ticket", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by", sa.String(64), nullable=False),
        sa.Column("withdrawn_why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name="fk_ticket_mark_ticket_ticket"),
        sa.PrimaryKeyConstraint("ticket", "kind", name="pk_ticket_mark"),
    )
    op.create_table(
        "ticket_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticket", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["ticket.id"], name="fk_ticket_step_ticket_ticket"),
        sa.PrimaryKeyConstraint("id", name="pk_ticket_step"),
    )
    op.create_index("ix_ticket_step_ticket", "ticket_step", ["ticket"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_ticket_step_ticket", "ticket_step")
    op.drop_table("ticket_step")
    op.drop_table("ticket_mark")
    op.drop_index("ix_duty_note_shift", "duty_note")
    op.drop_table("duty_note")
    op.drop_index("ix_ticket_state", "ticket")
    op.drop_index("ix_ticket_opened_at", "ticket")
    op.drop_table("ticket")
    op.drop_table("published_score")
    op.drop_index("ix_notification_sent_at", "notification")
    op.drop_table("notification")
    op.drop_table("duty_shift")
    op.drop_table("desk_clock")
