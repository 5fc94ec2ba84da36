"""A job stays until it is done: whoever takes one has it for a while, and it is put off while the provider fails.

The previous version deletes the jobs that it takes, those of others too; then somebody translates a text that is translated already.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN not_before timestamptz NOT NULL DEFAULT now()")
