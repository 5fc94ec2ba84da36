"""Environments of their own for other people's clients, so that they come with what they ask for, and nothing of ours."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

LOCKS: Final = Path(__file__).parent / "clients"


def environment(client: str) -> Path:
    """The folder of the programs that the client's lock installs; made once for each lock. Skips when the package index can't be reached."""
    lock = LOCKS / f"{client}.lock"
    folder = Path(sys.prefix) / "clients" / f"{client}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    programs, ready = folder / "bin", folder / "ready"
    if ready.exists():
        return programs
    wanted = ["--require-hashes", "-r", str(lock)]
    if shutil.which("uv"):
        _run(client, ["uv", "venv", "-q", "--clear", "--python", sys.executable, str(folder)])
        _run(client, ["uv", "pip", "install", "-q", "--python", str(programs / "python"), *wanted])
    else:
        _run(client, [sys.executable, "-m", "venv", "--clear", str(folder)])
        _run(client, [str(programs / "python"), "-m", "pip", "install", "-q", *wanted])
    ready.touch()
    return programs


def _run(client: str, step: list[str]) -> None:
    try:
        done = subprocess.run(step, capture_output=True, text=True, timeout=200, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{client} can't be installed: the package index is too slow")
    if done.returncode:
        pytest.skip(f"{client} can't be installed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
