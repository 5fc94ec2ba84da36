"""What the workflows build and release, compared with what they name: the images of compose.yaml, the versions of the packages."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from release import NoRelease, notes

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
CHANGELOG = """# Changelog

## Unreleased

- later

## [1.2.0] - 2027-01-02

### Added

- Something.

## 1.1.0

## 1.0.0 - 2026-12-01

- The first.
"""


def workflow(name: str) -> dict[Any, Any]:
    read: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows" / name).read_text())
    return read


def test_every_image_of_compose_is_built_as_there() -> None:
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    wanted = {service["image"].removeprefix("microblog/"): service["build"]["args"] for service in services.values() if "build" in service}
    rows = workflow("images.yml")["jobs"]["image"]["strategy"]["matrix"]["include"]
    assert {row["image"]: {name.upper(): value for name, value in row.items() if name != "image"} for row in rows} == wanted


def test_what_is_pushed_says_what_it_is_made_of_and_how() -> None:
    (build,) = [step for step in workflow("images.yml")["jobs"]["image"]["steps"] if "build-push" in step.get("uses", "")]
    assert (build["with"]["push"], build["with"]["sbom"], build["with"]["provenance"]) == (True, True, "mode=max")


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_may_write_only_where_a_job_says_so(file: Path) -> None:
    read = workflow(file.name)
    assert read["permissions"] == {"contents": "read"}
    writing = {name: job["permissions"] for name, job in read["jobs"].items() if "write" in job.get("permissions", {}).values()}
    assert set(writing) == {"images.yml": {"image"}, "release.yml": {"images", "release"}}.get(file.name, set())
    used = re.findall(r"uses: (\S+)", file.read_text())
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+|\./\.github/workflows/images\.yml", action)] == []


def test_notes_are_the_section_of_the_version() -> None:
    assert notes("v1.2.0", CHANGELOG, "1.2.0") == "### Added\n\n- Something."
    assert notes("v1.0.0", CHANGELOG, "1.0.0") == "- The first."


@pytest.mark.parametrize(
    ("tag", "version", "said"),
    [
        ("v1.3.0", "1.3.0", "no section"),
        ("v1.1.0", "1.1.0", "no section"),
        ("v1.2.0", "1.1.0", "so the tag would be v1.1.0"),
        ("1.2.0", "1.2.0", "v1.2.0"),
    ],
    ids=["not in the changelog", "an empty section", "another version", "without a v"],
)
def test_a_tag_without_notes_or_of_another_version_is_refused(tag: str, version: str, said: str) -> None:
    with pytest.raises(NoRelease, match=said):
        notes(tag, CHANGELOG, version)


def test_all_packages_have_one_version() -> None:
    files = [
        ROOT / "pyproject.toml",
        *ROOT.glob("libs/*/pyproject.toml"),
        *ROOT.glob("services/*/pyproject.toml"),
        ROOT / "gateway/pyproject.toml",
    ]
    files += ROOT.glob("deploy/*/pyproject.toml")
    assert len({tomllib.loads(file.read_text())["project"]["version"] for file in files}) == 1
