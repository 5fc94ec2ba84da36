"""Profiles, relations, snapshots of posts, interactions, feeds."""

from alembic import op
from common.ids import create_function
from common.outbox import CREATE_V1

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(create_function("social"))
    op.execute(CREATE_V1)
    op.execute("""
        CREATE TABLE profiles (
            account_id bigint PRIMARY KEY,
            username text NOT NULL,
            display_name text NOT NULL DEFAULT '',
            note_source text NOT NULL DEFAULT '',
            note_html text NOT NULL DEFAULT '',
            note_plain text NOT NULL DEFAULT '',
            fields jsonb NOT NULL DEFAULT '[]',
            avatar text,
            header text,
            locked boolean NOT NULL DEFAULT false,
            bot boolean NOT NULL DEFAULT false,
            discoverable boolean NOT NULL DEFAULT true,
            indexable boolean NOT NULL DEFAULT true,
            default_visibility text NOT NULL DEFAULT 'public',
            default_sensitive boolean NOT NULL DEFAULT false,
            default_language text,
            role text NOT NULL DEFAULT 'user',
            created_at timestamptz NOT NULL,
            shown boolean NOT NULL,
            account_version bigint NOT NULL,
            version bigint NOT NULL DEFAULT 1,
            head bytea NOT NULL DEFAULT ''
        );
        CREATE UNIQUE INDEX profiles_username ON profiles (username text_pattern_ops);
        CREATE TABLE profile_counts (
            account_id bigint PRIMARY KEY,
            statuses bigint NOT NULL DEFAULT 0,
            followers bigint NOT NULL DEFAULT 0,
            following bigint NOT NULL DEFAULT 0,
            last_status_on date
        ) WITH (fillfactor = 70);

        CREATE TABLE follows (
            follower_id bigint NOT NULL,
            followed_id bigint NOT NULL,
            id bigint NOT NULL DEFAULT microblog_id(),
            reblogs boolean NOT NULL DEFAULT true,
            notify boolean NOT NULL DEFAULT false,
            PRIMARY KEY (follower_id, followed_id)
        );
        CREATE INDEX follows_followed ON follows (followed_id, follower_id);
        CREATE INDEX follows_followers_page ON follows (followed_id, id DESC);
        CREATE INDEX follows_following_page ON follows (follower_id, id DESC);
        CREATE TABLE follow_requests (
            follower_id bigint NOT NULL,
            followed_id bigint NOT NULL,
            id bigint NOT NULL DEFAULT microblog_id(),
            reblogs boolean NOT NULL DEFAULT true,
            notify boolean NOT NULL DEFAULT false,
            PRIMARY KEY (follower_id, followed_id)
        );
        CREATE INDEX follow_requests_page ON follow_requests (followed_id, id DESC);
        CREATE TABLE blocks (
            blocker_id bigint NOT NULL,
            blocked_id bigint NOT NULL,
            id bigint NOT NULL DEFAULT microblog_id(),
            PRIMARY KEY (blocker_id, blocked_id)
        );
        CREATE INDEX blocks_page ON blocks (blocker_id, id DESC);
        CREATE TABLE mutes (
            muter_id bigint NOT NULL,
            muted_id bigint NOT NULL,
            id bigint NOT NULL DEFAULT microblog_id(),
            notifications boolean NOT NULL DEFAULT true,
            ends_at timestamptz,
            PRIMARY KEY (muter_id, muted_id)
        );
        CREATE INDEX mutes_page ON mutes (muter_id, id DESC);

        CREATE TABLE snapshots (
            post_id bigint PRIMARY KEY,
            version bigint NOT NULL,
            previous_version bigint NOT NULL,
            deleted boolean NOT NULL,
            author_id bigint NOT NULL,
            created_at timestamptz NOT NULL,
            visibility text NOT NULL,
            language text,
            reply_to_id bigint,
            reply_to_account_id bigint,
            has_media boolean NOT NULL,
            head bytea NOT NULL,
            content bytea NOT NULL
        );
        CREATE INDEX snapshots_author ON snapshots (author_id, post_id DESC) WHERE NOT deleted;
        CREATE INDEX snapshots_replies ON snapshots (reply_to_id, post_id) WHERE reply_to_id IS NOT NULL AND NOT deleted;
        CREATE INDEX snapshots_public ON snapshots (post_id DESC) WHERE visibility = 'public' AND NOT deleted;
        CREATE TABLE post_counts (
            post_id bigint PRIMARY KEY,
            replies bigint NOT NULL DEFAULT 0,
            reblogs bigint NOT NULL DEFAULT 0,
            favourites bigint NOT NULL DEFAULT 0
        ) WITH (fillfactor = 70);
        CREATE TABLE mentions (
            post_id bigint NOT NULL,
            account_id bigint NOT NULL,
            PRIMARY KEY (post_id, account_id)
        );
        CREATE TABLE hashtags (
            name text NOT NULL,
            post_id bigint NOT NULL,
            account_id bigint NOT NULL,
            PRIMARY KEY (name, post_id)
        );
        CREATE INDEX hashtags_post ON hashtags (post_id);
        CREATE INDEX hashtags_prefix ON hashtags (name text_pattern_ops);

        CREATE TABLE favourites (
            account_id bigint NOT NULL,
            post_id bigint NOT NULL,
            id bigint NOT NULL DEFAULT microblog_id(),
            PRIMARY KEY (account_id, post_id)
        );
        CREATE INDEX favourites_page ON favourites (account_id, id DESC);
        CREATE INDEX favourites_post ON favourites (post_id, id DESC);
        CREATE TABLE bookmarks (
            account_id bigint NOT NULL,
            post_id bigint NOT NULL,
            id bigint NOT NULL DEFAULT microblog_id(),
            PRIMARY KEY (account_id, post_id)
        );
        CREATE INDEX bookmarks_page ON bookmarks (account_id, id DESC);
        CREATE TABLE boosts (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            account_id bigint NOT NULL,
            post_id bigint NOT NULL,
            visibility text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            UNIQUE (account_id, post_id)
        );
        CREATE INDEX boosts_account ON boosts (account_id, id DESC);
        CREATE INDEX boosts_post ON boosts (post_id, id DESC);

        CREATE TABLE feed_entries (
            owner_id bigint NOT NULL,
            entry_id bigint NOT NULL,
            post_id bigint NOT NULL,
            booster_id bigint,
            PRIMARY KEY (owner_id, entry_id)
        );
        CREATE INDEX feed_entries_post ON feed_entries (post_id, owner_id);
        CREATE TABLE fanouts (
            entry_id bigint PRIMARY KEY,
            post_id bigint NOT NULL,
            author_id bigint NOT NULL,
            booster_id bigint,
            after_id bigint NOT NULL
        );
    """)
