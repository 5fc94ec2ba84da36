"""Fixtures on real engines, once a session: by address (`TEST_POSTGRES_URL`, `TEST_KAFKA_SERVERS`, `TEST_ELASTICSEARCH_URL`), in
containers (`TEST_ENGINES=containers`), or embedded.

Each service has one migrated database for the whole run, which every test finds empty; nothing is shared between tests but the servers.
"""

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from common.db import Database
from common.identity import Signer, generate_key
from common.migrations import migrate, migrations_of
from common.settings import SharedSettings
from common.testing.identities import TestIdentities


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _in_containers() -> bool:
    return os.environ.get("TEST_ENGINES") == "containers"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server where the test may make databases."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield given
        return
    if _in_containers():
        from common.testing import containers

        with containers.postgres(free_port()) as url:
            yield url
        return
    from engines.postgres import Postgres

    server = Postgres(tmp_path_factory.mktemp("postgres"), free_port(), settings={"fsync": "off"})
    server.start()
    yield server.admin_url
    server.stop()


@pytest.fixture(scope="session")
def kafka_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real broker with every topic of the stack."""
    from common.topics import ensure_topics

    given = os.environ.get("TEST_KAFKA_SERVERS")
    if given:
        ensure_topics(given)
        yield given
        return
    if _in_containers():
        from common.testing import containers

        with containers.kafka(free_port()) as servers:
            ensure_topics(servers)
            yield servers
        return
    from engines.kafka import Kafka
    from engines.kafka_jars import resolve_jars

    broker = Kafka(tmp_path_factory.mktemp("kafka"), free_port(), free_port(), resolve_jars(report=lambda line: None))
    broker.start()
    servers = f"127.0.0.1:{broker.port}"
    ensure_topics(servers)
    yield servers
    broker.stop()


@pytest.fixture(scope="session")
def elasticsearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that speaks the Elasticsearch protocol."""
    given = os.environ.get("TEST_ELASTICSEARCH_URL")
    if given:
        yield given
        return
    if _in_containers():
        from common.testing import containers

        with containers.elasticsearch(free_port()) as url:
            yield url
        return
    from engines.search import Noida

    server = Noida(tmp_path_factory.mktemp("search"), free_port())
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture(scope="session")
def new_database_url(postgres_url: str) -> Iterator[Callable[[str], str]]:
    """Make a migrated database for a service and return its address; copies a template, so that it costs milliseconds."""
    templates: dict[str, str] = {}
    made: list[str] = []

    def make(service: str) -> str:
        if service not in templates:
            template = f"template_{service}_{secrets.token_hex(4)}"
            _create(postgres_url, template, None)
            migrate(_address(postgres_url, template), migrations_of(service))
            templates[service] = template
            made.append(template)
        name = f"test_{service}_{secrets.token_hex(6)}"
        _create(postgres_url, name, templates[service])
        made.append(name)
        return _address(postgres_url, name)

    yield make
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for name in made:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A database without anything, for tests of migrations."""
    name = f"test_empty_{secrets.token_hex(6)}"
    _create(postgres_url, name, None)
    yield _address(postgres_url, name)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def service_name(request: pytest.FixtureRequest) -> str:
    """The service whose tests these are, from the folder they lie in."""
    parts = Path(str(request.path)).parts
    return parts[parts.index("services") + 1]


@pytest.fixture(scope="session")
def emptied_database_url(new_database_url: Callable[[str], str]) -> Callable[[str], str]:
    """The address of a service's database, without a row in it: deleting what a test left takes a tenth of what a new database does."""
    made: dict[str, str] = {}

    def empty(service: str) -> str:
        if service not in made:
            made[service] = new_database_url(service)
        else:
            _empty(made[service])
        return made[service]

    return empty


@pytest.fixture
def database_url(service_name: str, emptied_database_url: Callable[[str], str]) -> str:
    return emptied_database_url(service_name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database of the service under test, new for each test."""
    opened = Database(database_url, pool_size=8)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def identities() -> TestIdentities:
    """Signs callers the way the gateway does."""
    private, public = generate_key("gateway")
    return TestIdentities(Signer(private), public)


@pytest.fixture
def shared_settings(identities: TestIdentities) -> SharedSettings:
    return SharedSettings(
        public_url="https://microblog.example", kafka_servers="127.0.0.1:1", identity_keys=identities.jwks, replica="test-0"
    )


def _address(server: str, name: str) -> str:
    parts: dict[str, Any] = conninfo_to_dict(server)
    return f"postgresql://{parts['user']}:{parts.get('password', '')}@{parts['host']}:{parts['port']}/{name}"


def _create(server: str, name: str, template: str | None) -> None:
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


def _empty(url: str) -> None:
    """Delete all rows but the migrations' mark, and have sequences begin anew; whoever still holds a connection loses it."""
    with psycopg.connect(url, autocommit=True) as connection:
        others = "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        connection.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")
        connection.execute("SET session_replication_role = replica")
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'")
        statements = [sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for (name,) in rows.fetchall()]
        connection.execute(sql.SQL("; ").join(statements))
        connection.execute("SELECT setval(format('%I.%I', schemaname, sequencename), start_value, false) FROM pg_sequences")
