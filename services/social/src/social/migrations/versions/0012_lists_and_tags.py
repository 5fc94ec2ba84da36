"""Lists, followed hashtags, and the languages in which somebody is followed."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE follows ADD COLUMN languages text[], ADD COLUMN aside boolean NOT NULL DEFAULT false;
        ALTER TABLE follow_requests ADD COLUMN languages text[];

        CREATE TABLE lists (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            owner_id bigint NOT NULL,
            title text NOT NULL,
            replies_policy text NOT NULL,
            exclusive boolean NOT NULL
        );
        CREATE INDEX lists_owner ON lists (owner_id, id);
        CREATE INDEX lists_exclusive ON lists (owner_id) WHERE exclusive;
        CREATE TABLE list_members (
            list_id bigint NOT NULL REFERENCES lists ON DELETE CASCADE,
            account_id bigint NOT NULL,
            id bigint NOT NULL DEFAULT microblog_id(),
            PRIMARY KEY (list_id, account_id)
        );
        CREATE INDEX list_members_page ON list_members (list_id, id DESC);
        CREATE INDEX list_members_account ON list_members (account_id);

        CREATE TABLE followed_tags (
            name text NOT NULL,
            account_id bigint NOT NULL,
            id bigint NOT NULL DEFAULT microblog_id(),
            PRIMARY KEY (name, account_id)
        );
        CREATE INDEX followed_tags_page ON followed_tags (account_id, id DESC);
        CREATE TABLE tag_fanouts (
            post_id bigint PRIMARY KEY,
            after_id bigint NOT NULL
        );
    """)
