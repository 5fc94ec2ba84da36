"""Polls of posts, and their options in earlier versions."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE posts ADD COLUMN poll jsonb;
        ALTER TABLE revisions ADD COLUMN poll_options jsonb;
    """)
