"""Which threads the answers are in that were written before; apart from the column, so that nobody waits for both."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("""
        WITH RECURSIVE up AS (
            SELECT id, reply_to_id AS at FROM posts WHERE reply_to_id IS NOT NULL AND conversation_id IS NULL
            UNION ALL
            SELECT up.id, p.reply_to_id FROM up JOIN posts p ON p.id = up.at WHERE p.reply_to_id IS NOT NULL
        )
        UPDATE posts SET conversation_id = up.at
        FROM up JOIN posts first ON first.id = up.at AND first.reply_to_id IS NULL
        WHERE posts.id = up.id AND posts.conversation_id IS NULL
    """)
