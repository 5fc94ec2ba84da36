"""Accounts that were deleted: their names stay taken, nothing else stays."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE accounts ADD COLUMN deleted_at timestamptz")
