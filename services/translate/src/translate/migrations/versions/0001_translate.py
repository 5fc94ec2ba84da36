"""Sources, cached translations, usage, wishes, jobs."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE sources (
            post_id bigint PRIMARY KEY,
            version bigint NOT NULL,
            author_id bigint NOT NULL,
            language text,
            html text NOT NULL,
            spoiler text NOT NULL,
            descriptions jsonb NOT NULL,
            gone boolean NOT NULL,
            private boolean NOT NULL
        );
        CREATE INDEX sources_author ON sources (author_id);
        CREATE TABLE translations (
            text_hash bytea NOT NULL,
            source text NOT NULL,
            target text NOT NULL,
            provider text NOT NULL,
            translated text NOT NULL,
            detected text,
            made_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (text_hash, source, target, provider)
        );
        CREATE TABLE uses (
            post_id bigint NOT NULL,
            text_hash bytea NOT NULL,
            PRIMARY KEY (post_id, text_hash)
        );
        CREATE INDEX uses_text ON uses (text_hash);
        CREATE TABLE usage (
            day date PRIMARY KEY,
            characters bigint NOT NULL DEFAULT 0,
            ahead bigint NOT NULL DEFAULT 0
        );
        CREATE TABLE wishes (
            author_id bigint NOT NULL,
            language text NOT NULL,
            asked_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (author_id, language)
        );
        CREATE TABLE jobs (
            post_id bigint NOT NULL,
            target text NOT NULL,
            added_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (post_id, target)
        );
    """)
