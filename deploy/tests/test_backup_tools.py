"""PostgreSQL's own tools, as backups call them: no password in an argument or a message, and never one older than the server."""

import os
import stat
from pathlib import Path

import pytest
from microblog_operator.backups import tools
from microblog_operator.backups.tools import ToolFailed, ToolMissing, dump, restore, tool

AWAY = "postgresql://somebody:hush%20hush@127.0.0.1:1/people?connect_timeout=2&sslmode=disable"


def stand_in(folder: Path, name: str, version: str) -> Path:
    """A program of this version that writes down what it is told."""
    program = folder / name
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo \'{name} (PostgreSQL) {version}\' && exit\necho "$@" > {folder}/told\nenv > {folder}/env\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def test_a_server_that_is_away_is_told_and_the_password_is_not(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match=r"pg_dump failed: .*Connection refused") as failed:
        dump(AWAY, 18, "00000003-0000001B-1", tmp_path / "dump", lambda count: None)
    assert "hush" not in str(failed.value)


def test_what_is_no_dump_is_told(tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(b"no dump" * 100)
    with pytest.raises(ToolFailed, match="not appear to be a valid"):
        restore(AWAY, 18, tmp_path / "dump", lambda count: None)


def test_no_argument_shows_a_password_and_no_variable_of_ours_leads_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "pg_dump", "99.1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PGHOSTADDR", "203.0.113.1")
    dump(AWAY, 99, "00000003-0000001B-1", tmp_path / "dump", lambda count: None)
    assert "hush" not in (tmp_path / "told").read_text()
    assert "--snapshot=00000003-0000001B-1" in (tmp_path / "told").read_text()
    env = (tmp_path / "env").read_text().splitlines()
    assert {"PGPASSWORD=hush hush", "PGHOST=127.0.0.1", "PGPORT=1", "PGUSER=somebody", "PGDATABASE=people", "PGSSLMODE=disable"} <= set(env)
    assert [line for line in env if line.startswith("PGHOSTADDR")] == []


def test_a_tool_that_is_older_than_the_server_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = stand_in(tmp_path, "pg_dump", "15.4")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tool("pg_dump", 18) != str(old), "the one that comes with the command"
    with pytest.raises(ToolMissing, match="no pg_dump of PostgreSQL 99 or newer"):
        tool("pg_dump", 99)
    monkeypatch.setattr(tools, "find_spec", lambda name: None)
    assert tool("pg_dump", 15) == str(old)
