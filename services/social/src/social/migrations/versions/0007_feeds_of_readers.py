"""Whose feeds are kept up, and whose posts are merged in when a feed is read."""

from alembic import op

revision = "0007"
down_revision = "0002"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE feeds (
            owner_id bigint PRIMARY KEY,
            read_at timestamptz NOT NULL DEFAULT now(),
            active boolean NOT NULL DEFAULT true,
            filled boolean NOT NULL DEFAULT true
        ) WITH (fillfactor = 70);
        CREATE INDEX feeds_read ON feeds (read_at) WHERE active;
        INSERT INTO feeds (owner_id) SELECT account_id FROM profiles WHERE shown;
        CREATE TABLE pulled_authors (
            author_id bigint PRIMARY KEY,
            since timestamptz NOT NULL DEFAULT now() + interval '1 minute'
        );
    """)
