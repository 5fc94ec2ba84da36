"""`python deploy/release.py v1.2.0`: the notes of a release, which are the changelog's section of that version; none without it."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


class NoRelease(Exception):
    """Why this tag can't be one; the message is one line."""


def notes(tag: str, changelog: str, version: str) -> str:
    """What a changelog (Keep a Changelog) says of the version that a tag names, which must be the packages'. Raises `NoRelease`."""
    if tag != f"v{version}":
        raise NoRelease(f"the packages are of version {version}, so the tag would be v{version}, not {tag}")
    section = re.search(rf"^## \[?{re.escape(version)}\]?( - \d{{4}}-\d\d-\d\d)?$(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if section is None or not section[2].strip():
        raise NoRelease(f"CHANGELOG.md has no section of version {version}")
    return section[2].strip()


def main() -> int:
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    try:
        print(notes(sys.argv[1], (ROOT / "CHANGELOG.md").read_text("utf-8"), version))
    except NoRelease as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
