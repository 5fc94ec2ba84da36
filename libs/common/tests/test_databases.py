"""`databases.toml` says what services, containers and the local runner do; what it names is made, once, and kept apart."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from common.databases import DATABASES, ensure_databases, password_variable
from common.settings import DatabaseSettings
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

ROOT = Path(__file__).parents[3]


def test_the_services_with_a_database_are_those_whose_settings_ask_for_one() -> None:
    services = [path.name for path in (ROOT / "services").iterdir() if (path / "src").is_dir()]
    assert set(DATABASES) == {name for name in services if issubclass(import_module(f"{name}.settings").Settings, DatabaseSettings)}


def test_containers_have_the_same_databases_with_the_same_passwords() -> None:
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    given = {name for name in services["databases"]["environment"] if name.endswith("_DATABASE_PASSWORD")}
    assert given == {password_variable(name) for name in DATABASES}
    assert {name.removesuffix("-migrations") for name in services if name.endswith("-migrations")} == set(DATABASES)
    urls = {
        (variable, url)
        for service in services.values()
        for variable, url in service.get("environment", {}).items()
        if variable.endswith("_DATABASE_URL")
    }
    assert urls == {
        (f"{name.upper()}_DATABASE_URL", f"postgresql://{name}:${{{password_variable(name)}}}@postgres:5432/{name}") for name in DATABASES
    }
    example = (ROOT / ".env.example").read_text().splitlines()
    assert {line.rstrip("=") for line in example if "_DATABASE_PASSWORD" in line} == given


def test_no_database_is_migrated_before_there_are_all() -> None:
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    for name in DATABASES:
        assert services[f"{name}-migrations"]["depends_on"] == {"databases": {"condition": "service_completed_successfully"}}


@pytest.fixture
def names(postgres_url: str) -> Iterator[list[str]]:
    """Two names that nothing has yet; what gets them goes afterwards."""
    made = [f"one_{secrets.token_hex(4)}", f"two_{secrets.token_hex(4)}"]
    yield made
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for name in made:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


@pytest.fixture
def managers_url(postgres_url: str) -> Iterator[str]:
    """Where somebody logs in who may make roles and databases, and nothing else: all that a managed PostgreSQL gives."""
    name = f"manager_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD 'manager'").format(sql.Identifier(name)))
        yield as_somebody(postgres_url, name, "manager", "postgres")
        connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def as_somebody(server: str, user: str, password: str, database: str) -> str:
    return make_conninfo(server, user=user, password=password, dbname=database)


def may_enter(server: str, user: str, password: str, database: str) -> bool:
    try:
        psycopg.connect(as_somebody(server, user, password, database)).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.parametrize("by", ["superuser", "manager"])
def test_each_role_owns_its_database_and_enters_no_other(by: str, postgres_url: str, managers_url: str, names: list[str]) -> None:
    server = postgres_url if by == "superuser" else managers_url
    one, two = names
    assert ensure_databases(server, {one: "first"}) == [one]
    with psycopg.connect(as_somebody(postgres_url, one, "first", one)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    assert ensure_databases(server, {one: "first", two: "second"}) == [two], "a service more"
    assert ensure_databases(server, {one: "another", two: "second"}) == []
    assert [may_enter(postgres_url, one, password, one) for password in ("first", "another")] == [False, True]
    assert [may_enter(postgres_url, one, "another", two), may_enter(postgres_url, two, "second", one)] == [False, False]
    with psycopg.connect(as_somebody(postgres_url, one, "another", one)) as connection:
        assert connection.execute("SELECT number FROM kept").fetchall() == [(7,)]
        rights = "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(rights).fetchall() == [(False,)]


def command(server: str, **passwords: str) -> subprocess.CompletedProcess[str]:
    parts = conninfo_to_dict(server)
    login = {"PGUSER": str(parts.pop("user")), "PGPASSWORD": str(parts.pop("password"))}
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PG") and not name.endswith("_DATABASE_PASSWORD")}
    words = [sys.executable, "-m", "common.databases", "--server", make_conninfo("", **parts)]
    return subprocess.run(words, env={**ours, **login, **passwords}, capture_output=True, text=True, timeout=60, check=False)


def test_every_password_that_is_missing_is_named(postgres_url: str) -> None:
    given = {password_variable(name): "x" for name in DATABASES if name not in ("auth", "social")}
    done = command(postgres_url, **given)
    assert (done.returncode, done.stderr.strip().splitlines()[-1]) == (
        2,
        "common.databases: error: AUTH_DATABASE_PASSWORD, SOCIAL_DATABASE_PASSWORD: not set",
    )


def test_a_server_that_is_away_is_told_in_words_and_no_password_is() -> None:
    done = command("postgresql://postgres:hush@127.0.0.1:1/postgres", **{password_variable(name): "hush" for name in DATABASES})
    assert done.returncode == 1
    assert done.stderr.startswith("common.databases: ")
    assert "127.0.0.1" in done.stderr
    assert "hush" not in done.stdout + done.stderr
