"""Filters, muted threads, conversations; which thread a post is in."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # Rows that are there count as threaded: the next migration does it. Those that the version before adds until it is gone don't, and
    # `conversations.threading` does it for them.
    op.execute("""
        ALTER TABLE snapshots ADD COLUMN conversation_id bigint, ADD COLUMN threaded boolean NOT NULL DEFAULT true;
        ALTER TABLE snapshots ALTER COLUMN threaded SET DEFAULT false;

        CREATE TABLE viewers (
            account_id bigint PRIMARY KEY,
            version bigint NOT NULL
        ) WITH (fillfactor = 70);
        CREATE TABLE filters (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            account_id bigint NOT NULL,
            title text NOT NULL,
            contexts text[] NOT NULL,
            action text NOT NULL CHECK (action IN ('warn', 'hide', 'blur')),
            ends_at timestamptz
        );
        CREATE INDEX filters_account ON filters (account_id, id);
        CREATE TABLE filter_keywords (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            filter_id bigint NOT NULL REFERENCES filters ON DELETE CASCADE,
            keyword text NOT NULL,
            whole_word boolean NOT NULL
        );
        CREATE INDEX filter_keywords_filter ON filter_keywords (filter_id, id);
        CREATE TABLE filter_statuses (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            filter_id bigint NOT NULL REFERENCES filters ON DELETE CASCADE,
            post_id bigint NOT NULL,
            UNIQUE (filter_id, post_id)
        );
        CREATE INDEX filter_statuses_post ON filter_statuses (post_id);
        CREATE TABLE muted_threads (
            account_id bigint NOT NULL,
            conversation_id bigint NOT NULL,
            PRIMARY KEY (account_id, conversation_id)
        );
        CREATE TABLE conversations (
            account_id bigint NOT NULL,
            conversation_id bigint NOT NULL,
            id bigint NOT NULL DEFAULT microblog_id(),
            last_post_id bigint NOT NULL,
            read_id bigint NOT NULL DEFAULT 0,
            marked_id bigint NOT NULL DEFAULT 0,
            hidden_id bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (account_id, conversation_id)
        );
        CREATE UNIQUE INDEX conversations_id ON conversations (id);
        CREATE INDEX conversations_page ON conversations (account_id, last_post_id DESC);
    """)
