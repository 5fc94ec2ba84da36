"""Conversations of what was said before; apart from the columns, so that no reader waits for them."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("""
        CREATE INDEX snapshots_direct ON snapshots (coalesce(conversation_id, post_id), post_id) WHERE visibility = 'direct' AND NOT deleted;
        CREATE INDEX snapshots_unthreaded ON snapshots (post_id) WHERE NOT threaded;

        WITH RECURSIVE up AS (
            SELECT post_id, reply_to_id AS at FROM snapshots WHERE reply_to_id IS NOT NULL
            UNION ALL
            SELECT up.post_id, s.reply_to_id FROM up JOIN snapshots s ON s.post_id = up.at WHERE s.reply_to_id IS NOT NULL
        )
        UPDATE snapshots SET conversation_id = up.at
        FROM up JOIN snapshots first ON first.post_id = up.at AND first.reply_to_id IS NULL
        WHERE snapshots.post_id = up.post_id;
        UPDATE snapshots SET threaded = false WHERE reply_to_id IS NOT NULL AND conversation_id IS NULL;

        INSERT INTO conversations (account_id, conversation_id, last_post_id, read_id)
        SELECT account_id, conversation_id, max(post_id), max(post_id) FROM (
            SELECT author_id AS account_id, coalesce(conversation_id, post_id) AS conversation_id, post_id
            FROM snapshots WHERE visibility = 'direct' AND NOT deleted
            UNION ALL
            SELECT m.account_id, coalesce(s.conversation_id, s.post_id), s.post_id
            FROM snapshots s JOIN mentions m ON m.post_id = s.post_id WHERE s.visibility = 'direct' AND NOT s.deleted
        ) said GROUP BY account_id, conversation_id
        ON CONFLICT DO NOTHING;
    """)
