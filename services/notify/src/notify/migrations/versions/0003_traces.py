"""A mail belongs to the trace of what it was planned for, although another process sends it later."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE mails ADD COLUMN traceparent text")
