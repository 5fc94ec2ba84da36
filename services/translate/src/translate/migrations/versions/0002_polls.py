"""Options of polls are translated, too."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE sources ADD COLUMN options text[] NOT NULL DEFAULT '{}'")
