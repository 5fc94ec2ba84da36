"""Makes the databases and roles that `databases.toml` names; running it again changes nothing but passwords that are new.

It logs in as somebody who may make roles and databases, by libpq's variables (`PGHOST`, `PGUSER`, `PGPASSWORD`, ...) and `--server`. A
superuser isn't needed, so a managed PostgreSQL will do.
"""

import argparse
import os
import sys
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

_DOCUMENT: Final[dict[str, Any]] = tomllib.loads(files("common").joinpath("databases.toml").read_text("utf-8"))
DATABASES: Final[tuple[str, ...]] = tuple(_DOCUMENT["services"])
"""Services that have a database, which is called as they are, and so is the role that owns it."""
_LOCK: Final = 0x6461746162617365


def password_variable(service: str) -> str:
    """Where the password of a service's role is given."""
    return f"{service.upper()}_DATABASE_PASSWORD"


def ensure_databases(server: str, passwords: Mapping[str, str]) -> list[str]:
    """Make sure of a database for each name, and of a role that owns it, has this password and sees no other; return those that were missing.

    `server` is an address as libpq takes it; what it leaves out comes from libpq's variables. Two at once wait for each other.
    Raises `psycopg.Error`."""
    import psycopg  # the runner reads `DATABASES`, and needs no driver for it
    from psycopg import sql

    made = []
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        for name, password in passwords.items():
            role = sql.Identifier(name)
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE").format(role))
            # The server gets, and perhaps logs, what it would store, and never the password.
            secret = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
            connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(secret)))
            # Who is no superuser may give a database only to roles that they may become.
            become = "SET" if connection.info.server_version >= 160_000 else "MEMBER"
            member = connection.execute("SELECT pg_has_role(%s, %s)", (name, become)).fetchone() == (True,)
            if not member:
                connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
                made.append(name)
            connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(role))
            if not member:
                connection.execute(sql.SQL("REVOKE {} FROM CURRENT_USER").format(role))
    return made


def main() -> int:
    parser = argparse.ArgumentParser(prog="common.databases", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--server", default="", help="postgresql://host:port/postgres?sslmode=require; the password belongs into PGPASSWORD"
    )
    server: str = parser.parse_args().server
    passwords = {name: os.environ.get(password_variable(name), "") for name in DATABASES}
    missing = [password_variable(name) for name, password in passwords.items() if not password]
    if missing:
        parser.error(f"{', '.join(missing)}: not set")
    import psycopg

    try:
        made = ensure_databases(server, passwords)
    except psycopg.Error as error:
        print(f"common.databases: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    for name in made:
        print(name)  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
