"""Ways to people: by hashtags they use, by followers, by activity, by the beginning of what they are called. Made beside running writes."""

from alembic import op

revision = "0014"
down_revision = "0013"

_INDEXES = {
    "hashtags_account": "hashtags (account_id, name, post_id DESC)",
    "profile_counts_followers": "profile_counts (followers DESC, account_id)",
    "profile_counts_active": "profile_counts (last_status_on DESC, account_id DESC) WHERE last_status_on IS NOT NULL",
    "profiles_display_name": "profiles (lower(display_name) text_pattern_ops)",
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, what in _INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")  # what an attempt that was broken off may have left, and nobody can use
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {what}")
