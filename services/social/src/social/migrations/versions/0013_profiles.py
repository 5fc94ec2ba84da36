"""What pictures show, hidden lists of people, endorsements, featured hashtags, dismissed suggestions, what the worker has yet to do."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE profiles
            ADD COLUMN avatar_description text NOT NULL DEFAULT '',
            ADD COLUMN header_description text NOT NULL DEFAULT '',
            ADD COLUMN hide_collections boolean NOT NULL DEFAULT false;
        CREATE TABLE endorsements (
            account_id bigint NOT NULL,
            endorsed_id bigint NOT NULL,
            id bigint NOT NULL DEFAULT microblog_id(),
            PRIMARY KEY (account_id, endorsed_id)
        );
        CREATE INDEX endorsements_page ON endorsements (account_id, id DESC);
        CREATE INDEX endorsements_endorsed ON endorsements (endorsed_id);
        CREATE TABLE featured_tags (
            account_id bigint NOT NULL,
            name text NOT NULL,
            display text NOT NULL,
            id bigint NOT NULL DEFAULT microblog_id(),
            PRIMARY KEY (account_id, name)
        );
        CREATE TABLE dismissed_suggestions (
            account_id bigint NOT NULL,
            dismissed_id bigint NOT NULL,
            PRIMARY KEY (account_id, dismissed_id)
        );
        CREATE INDEX dismissed_suggestions_dismissed ON dismissed_suggestions (dismissed_id);
        CREATE TABLE unlocked_profiles (account_id bigint PRIMARY KEY);
        CREATE TABLE unused_pictures (name text PRIMARY KEY);
    """)
