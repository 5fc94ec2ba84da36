"""Another commit of this repository, installed by itself, to run beside the program that is checked out."""

import io
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]


class Unknown(Exception):
    """There is no such commit here; says what git says."""


def installed(commit: str, folder: Path) -> Path:
    """Check a commit out into an empty folder, install what it asks for, and return its Python. Raises `Unknown`, or `CalledProcessError`."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        raise Unknown(archive.stderr.decode().strip())
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    subprocess.run(["make", "setup"], cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=400)
    return folder / ".venv" / "bin" / "python"
