"""The PIN of a meeting's guests."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("meeting") as meeting:
        meeting.add_column(sa.Column("guest_pin", sa.String(8), nullable=True))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("meeting") as meeting:
        meeting.drop_column("guest_pin")
