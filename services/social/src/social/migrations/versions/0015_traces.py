"""What is left to do of a large fan-out belongs to the trace of the post, although another process does it later."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute("ALTER TABLE fanouts ADD COLUMN traceparent text; ALTER TABLE tag_fanouts ADD COLUMN traceparent text")
