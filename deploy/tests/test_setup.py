"""`make setup` on machines that lack something: one line says what, and what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOWHERE = {
    "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
    "PIP_RETRIES": "0",
    "UV_INDEX_URL": "http://127.0.0.1:1/simple",
    "UV_HTTP_RETRIES": "0",
    "UV_NO_CACHE": "1",
}


def setup(folder: Path, *, before: str = "", **environment: str) -> list[str]:
    """What is said on the way to an environment in an empty folder, which must fail; `before` runs first in the same Python."""
    (folder / "requirements.lock").write_text(f"orjson==3.10.0 \\\n    --hash=sha256:{'0' * 64}\n")
    code = f"import runpy, sys\n{before}\nsys.argv = ['environment.py']\nrunpy.run_path({str(ROOT / 'deploy/environment.py')!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr.strip().splitlines()


def test_a_python_that_does_not_exist_is_told_with_what_to_do(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    alone = {
        name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"
    }  # these tests may be run by make
    wanted = ["make", "-f", str(ROOT / "Makefile"), "--assume-new=requirements.lock", ".venv/ready", "PYTHON=/nowhere/python"]
    done = subprocess.run([*wanted, "--dry-run"], cwd=ROOT, env=alone, capture_output=True, text=True, check=False)
    assert "install Python 3.11 or newer" in done.stdout
    done = subprocess.run(wanted, cwd=ROOT, env=alone, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (
        2,
        "microblog: there is no /nowhere/python here: install Python 3.11 or newer, or say where it is with make PYTHON=/path/to/python",
    )


def test_a_python_that_is_too_old_is_told_which_is_needed(tmp_path: Path) -> None:
    (line,) = setup(tmp_path, before="sys.version_info = (3, 9, 18)")
    assert line == "microblog: Python 3.11 or newer is needed, this is 3.9: say which with make PYTHON=/path/to/python"


def test_a_python_without_venv_is_told_how_to_get_it_and_leaves_nothing_half_made(tmp_path: Path) -> None:
    (tmp_path / "venv.py").write_text("raise SystemExit('it was not created since ensurepip is not\\navailable')")
    (line,) = setup(tmp_path, PYTHONPATH=str(tmp_path))
    assert "apt install python3-venv" in line
    assert not (tmp_path / ".venv").exists()


def test_a_full_disk_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    full = "import collections, shutil\nshutil.disk_usage = lambda path: collections.namedtuple('usage', 'free')(1_000_000)"
    (line,) = setup(tmp_path, before=full)
    assert "the disk is full: the environment needs 1.5 GB free" in line
    assert not (tmp_path / ".venv").exists()


@pytest.mark.slow
@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_packages_that_cannot_be_had_are_told_last(tmp_path: Path, installer: str) -> None:
    if installer == "uv" and not shutil.which("uv"):
        pytest.skip("uv isn't installed")
    path = os.environ["PATH"] if installer == "uv" else "/usr/bin:/bin"
    if installer == "pip" and shutil.which("uv", path=path):
        pytest.skip("uv is everywhere here")
    lines = setup(tmp_path, PATH=path, **NOWHERE)
    assert lines[-1].startswith("microblog: the packages can't be installed")
    assert lines[-1].endswith("check the network and the package index, and try again")
    assert installer == "uv" or len(lines) == 1
