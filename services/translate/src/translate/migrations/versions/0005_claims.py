"""Who is having a text translated, so that nobody else does meanwhile. The previous version claims nothing; then a text may be paid for twice."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE claims (
            text_hash bytea NOT NULL,
            source text NOT NULL,
            target text NOT NULL,
            provider text NOT NULL,
            holder uuid NOT NULL,
            until timestamptz NOT NULL,
            PRIMARY KEY (text_hash, source, target, provider)
        );
    """)
