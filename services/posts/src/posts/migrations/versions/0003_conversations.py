"""Which thread an answer is in; a post that answers nothing is the beginning of its own."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE posts ADD COLUMN conversation_id bigint")
