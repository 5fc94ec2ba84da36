"""Connections that notice soon when nobody is at their other end, whoever makes them."""

import socket
from typing import Any

import pytest
from common.db import Database
from common.postgres import address
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url, text

pytestmark = pytest.mark.anyio


def test_an_address_keeps_what_it_says_and_has_the_last_word() -> None:
    url = "postgresql://posts:p%40ss@db.example:5433/posts?sslmode=require&tcp_user_timeout=20000&options=-c%20search_path%3Dours"
    told: dict[str, Any] = conninfo_to_dict(address(url, "-c statement_timeout=5000"))
    assert (told["password"], told["sslmode"], told["tcp_user_timeout"], told["keepalives_idle"]) == ("p@ss", "require", "20000", "10")
    assert told["options"].endswith("-c tcp_user_timeout=15000 -c statement_timeout=5000 -c search_path=ours")


def test_libpq_and_sqlalchemy_read_the_same_of_an_address() -> None:
    url = address("postgresql://posts:secret@/posts?host=%2Frun%2Fpost%20gres&port=5433", "-c statement_timeout=5000")
    told, read = conninfo_to_dict(url), make_url(url)
    assert {name: told[name] for name in read.query} == dict(read.query)
    assert (read.username, read.password, read.database, read.query["host"]) == ("posts", "secret", "posts", "/run/post gres")


def watched(number: int) -> dict[str, int]:
    """How long a connection trusts in silence."""
    with socket.socket(fileno=socket.dup(number)) as looked_at:
        return {
            name: looked_at.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
        } | {"SO_KEEPALIVE": looked_at.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)}


SOON = {"TCP_USER_TIMEOUT": 5000, "TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3, "SO_KEEPALIVE": 1}
OF_SERVER = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "3", "tcp_keepalives_count": "3", "tcp_user_timeout": "15000"}


async def test_connections_of_all_kinds_notice_and_are_noticed(database: Database) -> None:
    async with database.reading() as reading:
        assert watched(reading.fileno()) == SOON
        told = await (await reading.execute("SELECT name, current_setting(name) FROM pg_settings WHERE name LIKE 'tcp\\_%'")).fetchall()
        assert dict(told) == OF_SERVER  # type: ignore[arg-type]
    async with database.transaction() as session:
        connection = await (await session.connection()).get_raw_connection()
        assert watched(connection.driver_connection.fileno()) == SOON  # type: ignore[union-attr]
        for name, value in OF_SERVER.items():
            assert await session.scalar(text(f"SHOW {name}")) == value
    async with await AsyncConnection.connect(database.url) as listening:
        assert watched(listening.fileno()) == SOON
