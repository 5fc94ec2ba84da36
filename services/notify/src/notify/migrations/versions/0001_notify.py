"""Notifications, markers, people, the mail ledger, preferences, suppressions, announcements."""

from alembic import op
from common.ids import create_function

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(create_function("notify"))
    op.execute("""
        CREATE TABLE notifications (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            account_id bigint NOT NULL,
            dedupe text NOT NULL,
            kind text NOT NULL,
            actor_id bigint NOT NULL,
            post_id bigint,
            created_at timestamptz NOT NULL,
            gone boolean NOT NULL DEFAULT false,
            UNIQUE (account_id, dedupe)
        );
        CREATE INDEX notifications_page ON notifications (account_id, id DESC) WHERE NOT gone;
        CREATE INDEX notifications_actor ON notifications (actor_id);
        CREATE INDEX notifications_post ON notifications (post_id) WHERE post_id IS NOT NULL;
        CREATE TABLE markers (
            account_id bigint NOT NULL,
            timeline text NOT NULL CHECK (timeline IN ('home', 'notifications')),
            last_read_id bigint NOT NULL,
            version bigint NOT NULL,
            updated_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (account_id, timeline)
        );
        CREATE TABLE people (
            account_id bigint PRIMARY KEY,
            version bigint NOT NULL,
            username text NOT NULL,
            state text NOT NULL,
            mail_follow boolean NOT NULL DEFAULT true,
            mail_comment boolean NOT NULL DEFAULT true,
            mail_announcement boolean NOT NULL DEFAULT true
        );
        CREATE TABLE mails (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            dedupe_key text NOT NULL UNIQUE,
            kind text NOT NULL,
            account_id bigint NOT NULL,
            details jsonb NOT NULL,
            state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'claimed', 'sent', 'unknown', 'failed', 'suppressed', 'outdated')),
            attempts bigint NOT NULL DEFAULT 0,
            not_before timestamptz NOT NULL DEFAULT now(),
            claimed_at timestamptz,
            message_id text,
            reason text,
            created_at timestamptz NOT NULL DEFAULT now(),
            sent_at timestamptz
        );
        CREATE INDEX mails_waiting ON mails (not_before) WHERE state IN ('new', 'claimed', 'unknown');
        CREATE INDEX mails_account ON mails (account_id);
        CREATE TABLE suppressions (
            address_hash bytea PRIMARY KEY,
            reason text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE TABLE announcements (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            source text NOT NULL,
            html text NOT NULL,
            plain text NOT NULL,
            published_at timestamptz NOT NULL DEFAULT now(),
            withdrawn_at timestamptz,
            mailed_up_to bigint NOT NULL DEFAULT 0,
            mailed_at timestamptz
        );
        CREATE TABLE announcement_reads (
            announcement_id bigint NOT NULL REFERENCES announcements,
            account_id bigint NOT NULL,
            PRIMARY KEY (announcement_id, account_id)
        );
        CREATE TABLE webhooks (
            digest bytea PRIMARY KEY,
            received_at timestamptz NOT NULL DEFAULT now()
        );
    """)
