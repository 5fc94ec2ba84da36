"""Mastodon.py as whoever installs it has it: its tests run once more, by a pytest that lives with it in an environment of its own.

`make test` runs them in ours, where the library is a dependency for development, so that a machine makes one environment for it.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest
from environments import environment
from stack import Stack

FOLDER: Final = Path(__file__).parent
TESTS: Final = FOLDER / "test_mastodon_py.py"

pytestmark = pytest.mark.slow


def test_mastodon_py_goes_through_everything_in_an_environment_of_its_own(stack: Stack, tmp_path: Path) -> None:
    python = environment("mastodon-py") / "python"
    where = subprocess.run([python, "-c", "import mastodon; print(mastodon.__file__)"], capture_output=True, text=True, check=True)
    assert Path(where.stdout.strip()).is_relative_to(python.parents[1])
    alone = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(FOLDER), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [
            python,
            "-m",
            "pytest",
            "--noconftest",
            "-p",
            "attached",
            "-p",
            "no:cacheprovider",
            "-c",
            os.devnull,
            "--rootdir",
            FOLDER,
            "-q",
            TESTS,
        ],
        env=alone | {"STACK_PORT": str(stack.port), "STACK_DATA": str(stack.data), "STACK_POSTMARK": str(stack.postmark)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^(\d+) passed in ", done.stdout, re.MULTILINE)
    assert passed is not None, done.stdout
    assert int(passed[1]) >= TESTS.read_text("utf-8").count("\ndef test_")
