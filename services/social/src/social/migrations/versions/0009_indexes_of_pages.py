"""Indexes that pages go along: who is blocked by anybody is asked once for each; and a hashtag's posts are found by its name alone.

By the order of posts the planner would look through everybody's hashtags until it had met enough of the one: a hash has no order.
"""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("""
        CREATE INDEX blocks_blocked ON blocks (blocked_id);
        CREATE INDEX hashtags_of_post ON hashtags USING hash (post_id);
        DROP INDEX hashtags_post;
    """)
