"""Forget cached translations with links: the version before kept the addresses that the translator gave them."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("DELETE FROM translations WHERE translated LIKE '%<a %'")
