"""Accounts, OAuth clients and tokens, one-time requests, throttles, audit log."""

from alembic import op
from common.ids import create_function
from common.outbox import CREATE_V1

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(create_function("auth"))
    op.execute(CREATE_V1)
    op.execute("""
        CREATE TABLE accounts (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            username text NOT NULL UNIQUE CHECK (username = lower(username)),
            email text NOT NULL,
            email_key text NOT NULL UNIQUE,
            password_hash text NOT NULL,
            role text NOT NULL CHECK (role IN ('user', 'moderator', 'admin')),
            state text NOT NULL CHECK (state IN ('unconfirmed', 'active', 'suspended', 'disabled')),
            locale text NOT NULL,
            version bigint NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            confirmed_at timestamptz
        );
        CREATE TABLE apps (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            client_id text NOT NULL UNIQUE,
            secret_hash bytea NOT NULL,
            name text NOT NULL,
            website text,
            redirect_uris text[] NOT NULL,
            scopes text[] NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE TABLE grants (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            code_hash bytea NOT NULL UNIQUE,
            app_id bigint NOT NULL REFERENCES apps,
            account_id bigint NOT NULL REFERENCES accounts,
            redirect_uri text NOT NULL,
            scopes text[] NOT NULL,
            code_challenge text,
            created_at timestamptz NOT NULL DEFAULT now(),
            used_at timestamptz
        );
        CREATE TABLE tokens (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            hash bytea NOT NULL UNIQUE,
            kind text NOT NULL CHECK (kind IN ('app', 'user', 'session')),
            account_id bigint REFERENCES accounts,
            app_id bigint REFERENCES apps,
            grant_id bigint REFERENCES grants,
            scopes text[] NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz,
            revoked_at timestamptz,
            ip text,
            user_agent text
        );
        CREATE INDEX tokens_of_account ON tokens (account_id) WHERE revoked_at IS NULL;
        CREATE INDEX tokens_of_grant ON tokens (grant_id) WHERE grant_id IS NOT NULL;
        CREATE INDEX tokens_age ON tokens (expires_at) WHERE expires_at IS NOT NULL;
        CREATE TABLE requests (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            account_id bigint NOT NULL REFERENCES accounts,
            kind text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz NOT NULL,
            used_at timestamptz
        );
        CREATE INDEX requests_age ON requests (expires_at);
        CREATE TABLE throttles (
            subject text NOT NULL,
            "window" bigint NOT NULL,
            tries bigint NOT NULL,
            ends_at timestamptz NOT NULL,
            PRIMARY KEY (subject, "window")
        );
        CREATE INDEX throttles_age ON throttles (ends_at);
        CREATE TABLE audit (
            id bigint PRIMARY KEY DEFAULT microblog_id(),
            happened_at timestamptz NOT NULL DEFAULT now(),
            account_id bigint,
            action text NOT NULL,
            subject_id bigint
        );
    """)
