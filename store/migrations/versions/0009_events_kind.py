"""The newest event of every link and host, found without reading all of them."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_events_kind", "events", ["kind", "subject", "number"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_events_kind", "events")
