"""Polls and what people voted."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE snapshots ADD COLUMN has_poll boolean NOT NULL DEFAULT false;
        CREATE TABLE polls (
            post_id bigint PRIMARY KEY,
            author_id bigint NOT NULL,
            revision bigint NOT NULL,
            options text[] NOT NULL,
            multiple boolean NOT NULL,
            hide_totals boolean NOT NULL,
            expires_at timestamptz NOT NULL,
            tallies bigint[] NOT NULL,
            voters bigint NOT NULL DEFAULT 0,
            told boolean NOT NULL DEFAULT false,
            told_up_to bigint NOT NULL DEFAULT 0
        ) WITH (fillfactor = 70);
        CREATE INDEX polls_to_end ON polls (expires_at) WHERE NOT told;
        CREATE TABLE poll_votes (
            post_id bigint NOT NULL,
            revision bigint NOT NULL,
            account_id bigint NOT NULL,
            choices bigint[] NOT NULL,
            PRIMARY KEY (post_id, revision, account_id)
        );
        CREATE INDEX poll_votes_account ON poll_votes (account_id);
    """)
