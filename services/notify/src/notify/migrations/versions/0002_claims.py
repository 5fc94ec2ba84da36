"""Claims say whether the sending began, mails may end in doubt, and suppressions belong to a stream of the provider.
An announcement to many thousands must not make each claim of a single mail look through all of theirs.

The previous version doesn't know `begun` and sends right after it claimed: its claims count as begun.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE mails ADD COLUMN begun boolean NOT NULL DEFAULT true;
        ALTER TABLE mails DROP CONSTRAINT mails_state_check;
        ALTER TABLE mails ADD CONSTRAINT mails_state_check
            CHECK (state IN ('new', 'claimed', 'sent', 'unknown', 'doubtful', 'failed', 'suppressed', 'outdated'));
        CREATE INDEX mails_personal ON mails (not_before) WHERE state = 'new' AND kind <> 'announcement';
        CREATE INDEX mails_troubled ON mails (state) WHERE state IN ('doubtful', 'failed');
        ALTER TABLE suppressions ADD COLUMN stream text NOT NULL DEFAULT '';
        ALTER TABLE suppressions DROP CONSTRAINT suppressions_pkey;
        ALTER TABLE suppressions ADD PRIMARY KEY (address_hash, stream);
        ALTER TABLE people ADD COLUMN preferred_at timestamptz;
        CREATE TABLE gone_posts (post_id bigint PRIMARY KEY);
    """)
