"""Posts, revisions, media, idempotency keys, authors."""

from alembic import op
from common.ids import create_function
from common.outbox import CREATE_V1

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(create_function("posts"))
    op.execute(CREATE_V1)
    op.execute("""
        CREATE TABLE posts (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            author_id bigint NOT NULL,
            author_username text NOT NULL,
            version bigint NOT NULL,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            edited_at timestamptz,
            deleted_at timestamptz,
            visibility text NOT NULL CHECK (visibility IN ('public', 'unlisted', 'private', 'direct')),
            source text NOT NULL,
            markdown boolean NOT NULL,
            html text NOT NULL,
            plain text NOT NULL,
            spoiler text NOT NULL,
            sensitive boolean NOT NULL,
            language text,
            reply_to_id bigint,
            reply_to_account_id bigint,
            usernames jsonb NOT NULL,
            tags jsonb NOT NULL,
            application_name text,
            application_website text
        );
        CREATE INDEX posts_of_author ON posts (author_id, id DESC) WHERE deleted_at IS NULL;
        CREATE TABLE revisions (
            post_id bigint NOT NULL REFERENCES posts,
            version bigint NOT NULL,
            written_at timestamptz NOT NULL,
            html text NOT NULL,
            spoiler text NOT NULL,
            sensitive boolean NOT NULL,
            media jsonb NOT NULL,
            PRIMARY KEY (post_id, version)
        );
        CREATE TABLE media (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            owner_id bigint NOT NULL,
            post_id bigint REFERENCES posts,
            position bigint NOT NULL DEFAULT 0,
            loose_since timestamptz NOT NULL DEFAULT now(),
            file text NOT NULL,
            preview_file text NOT NULL,
            width bigint NOT NULL,
            height bigint NOT NULL,
            preview_width bigint NOT NULL,
            preview_height bigint NOT NULL,
            description text,
            blurhash text NOT NULL,
            focus_x double precision NOT NULL DEFAULT 0,
            focus_y double precision NOT NULL DEFAULT 0
        );
        CREATE INDEX media_of_post ON media (post_id, position) WHERE post_id IS NOT NULL;
        CREATE INDEX media_loose ON media (loose_since) WHERE post_id IS NULL;
        CREATE TABLE idempotency (
            account_id bigint NOT NULL,
            key text NOT NULL,
            post_id bigint,
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (account_id, key)
        );
        CREATE INDEX idempotency_age ON idempotency (created_at);
        CREATE TABLE authors (
            account_id bigint PRIMARY KEY,
            profile_version bigint NOT NULL DEFAULT 0,
            visibility text NOT NULL DEFAULT 'public',
            sensitive boolean NOT NULL DEFAULT false,
            language text,
            erased boolean NOT NULL DEFAULT false
        );
    """)
