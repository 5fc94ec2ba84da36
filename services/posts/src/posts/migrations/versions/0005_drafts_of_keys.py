"""What a key's post was to say, to tell it sent again from another one under the same key; not known of keys from before."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE idempotency ADD COLUMN draft bytea")
