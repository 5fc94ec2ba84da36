"""Pinned posts, and notes that people keep about each other."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE pins (
            account_id bigint NOT NULL,
            post_id bigint NOT NULL,
            id bigint NOT NULL DEFAULT microblog_id(),
            PRIMARY KEY (account_id, post_id)
        );
        CREATE INDEX pins_page ON pins (account_id, id DESC);
        CREATE TABLE account_notes (
            author_id bigint NOT NULL,
            about_id bigint NOT NULL,
            note text NOT NULL,
            PRIMARY KEY (author_id, about_id)
        );
        CREATE INDEX account_notes_about ON account_notes (about_id);
    """)
