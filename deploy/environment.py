"""`python deploy/environment.py MEMBER…`: make `.venv` here, and install the lock and the members.

With uv, which takes seconds where pip takes a minute: the one that is there, or one that pip puts into `.venv`; with pip if neither can be had.

The first thing that runs on a new machine: nothing is installed yet, and the Python may be an old one, which must still be told so.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

LEAST = (3, 11)
NEEDED = 1_500_000_000
"""Bytes that a new environment takes, and what installing it needs besides."""
SPARE = 100_000_000
FOLDER = Path(".venv")
PYTHON = FOLDER / "bin" / "python"
PIP = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"]
LOCK = ["--require-hashes", "-r", "requirements.lock"]
UV = ["--require-hashes", "-r", str(Path(__file__).with_name("uv.lock"))]


class Trouble(Exception):
    """It can't be done; the message is one line that says what to do."""


def main(members: list[str]) -> None:
    if sys.version_info < LEAST:
        mine = ".".join(map(str, sys.version_info[:2]))
        raise Trouble(f"Python 3.11 or newer is needed, this is {mine}: say which with make PYTHON=/path/to/python")
    uv = shutil.which("uv")
    if not _usable(uv):
        if shutil.disk_usage(".").free < NEEDED:
            raise Trouble(f"the disk is full: the environment needs {NEEDED / 1e9:.1f} GB free at {Path.cwd()}")
        say("creating the environment in .venv")
        _create(uv)
    editable = ["--no-deps", "--no-build-isolation", *(part for member in members for part in ("-e", f"./{member}"))]
    say("installing packages from the lock")
    if uv:
        if not _with_uv(uv, editable):
            raise _not_installed()
        return
    own = _own_uv()
    if own is None or not _with_uv(own, editable):
        _with_pip(editable)


def _own_uv() -> str | None:
    """The uv in the environment, put there if it can be had."""
    own = FOLDER / "bin" / "uv"
    if not own.exists():
        subprocess.run([*PIP, "--quiet", *UV], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return str(own) if own.exists() else None


def _with_uv(uv: str, editable: list[str]) -> bool:
    install = [uv, "pip", "install", "--python", str(PYTHON), "--compile-bytecode"]
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    commands = [[*install, *quiet, *LOCK], [*install, "--quiet", *editable]]
    return all(subprocess.run(command, check=False).returncode == 0 for command in commands)


def _with_pip(editable: list[str]) -> None:
    _run_pip([*PIP, "--progress-bar", "off", *LOCK], len(re.findall(r"^\S+==", Path("requirements.lock").read_text("utf-8"), re.M)))
    if subprocess.run([*PIP, "--quiet", *editable], check=False).returncode != 0:
        raise _not_installed()


def say(line: str) -> None:
    print(f"microblog: {line}", flush=True)


def _usable(uv: str | None) -> bool:
    """Whether there is an environment that can be installed into; one that uv made has no pip."""
    asked = [str(PYTHON), "-c", "" if uv else "import pip"]
    return PYTHON.exists() and subprocess.run(asked, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _create(uv: str | None) -> None:
    command = [sys.executable, "-m", "venv", "--clear", *(["--without-pip"] if uv else []), str(FOLDER)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode == 0:
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    if "ensurepip" in done.stdout or "No module named venv" in done.stdout:
        raise Trouble("this Python comes without venv: install it (Debian, Ubuntu: apt install python3-venv), and try again")
    raise Trouble(f"the environment can't be made: {_last(done.stdout.splitlines())}")


def _run_pip(command: list[str], most: int) -> None:
    """Show how far it is, which pip would tell in a thousand lines."""
    collected = 0
    last: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        for line in pip.stdout or []:
            if line.startswith(("Collecting ", "Requirement already")):
                collected += 1
                if sys.stdout.isatty():
                    print(f"\rmicroblog: {collected} of {most} packages", end="\n" if collected == most else "", flush=True)
            elif line.startswith("Installing collected"):
                say("all are here, unpacking them")
            last = [*last[-4:], line]
    if pip.returncode != 0:
        raise _not_installed(_last([line for line in last if line.startswith("ERROR")]))


def _not_installed(why: str = "") -> Trouble:
    if shutil.disk_usage(".").free < SPARE:
        return Trouble(f"the disk is full: free {NEEDED / 1e9:.1f} GB at {Path.cwd()}, and try again")
    return Trouble(f"the packages can't be installed{f' ({why})' if why else ''}: check the network and the package index, and try again")


def _last(lines: list[str]) -> str:
    return lines[-1].strip()[:300] if lines else "no reason was given"


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Trouble as trouble:
        sys.exit(f"microblog: {trouble}")
