"""Alembic for a service: one environment for all, versions in each service's package, forward only.

`python -m common.migrations posts` migrates the database that `POSTS_DATABASE_URL` names.
"""

import argparse
import os
from importlib.resources import files
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, pool, text

from common.postgres import address

_LOCK = 0x6D6967726174


def migrate(url: str, scripts: Path, revision: str = "head") -> None:
    """Bring the database to the newest version, or to an earlier one; two at once wait for each other."""
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.attributes["url"] = url
    command.upgrade(config, revision)


def migrations_of(service: str) -> Path:
    """Where a service's migrations lie, installed or from source."""
    return Path(str(files(service))) / "migrations"


def known(service: str, revision: str) -> bool:
    """Whether the migrations that are here lead to, or on from, a database of this revision."""
    config = Config()
    config.set_main_option("script_location", str(migrations_of(service)))
    return revision in {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}


def run() -> None:
    """What `migrations/env.py` of every service calls."""
    url: str = context.config.attributes["url"]
    engine = create_engine(address(url).replace("postgresql://", "postgresql+psycopg://", 1), poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        connection.commit()
        context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(prog="common.migrations", description="Bring a service's database to the newest version.")
    parser.add_argument("service")
    service: str = parser.parse_args().service
    url = os.environ.get(variable := f"{service.upper()}_DATABASE_URL")
    if url is None:
        parser.error(f"{variable} isn't set")
    migrate(url, migrations_of(service))


if __name__ == "__main__":
    main()
