"""Railway runs what compose.yaml runs: the same processes, the same commands, asked for their health in the same place."""

import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from common.probe import URL
from common.settings import SharedSettings

ROOT = Path(__file__).parents[2]
FILES = {file.stem: tomllib.loads(file.read_text()) for file in sorted((ROOT / "deploy/railway").glob("*.toml"))}
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
ONCE = ("databases", "topics")
SERVING = [name for name in FILES if name not in (*ONCE, "operator")]
GUIDE = (ROOT / "docs/railway.md").read_text()


def command(name: str) -> list[str]:
    """What a container of compose runs, as the image says it where compose doesn't."""
    service = SERVICES[name]
    return service.get("command") or shlex.split(f"python -m {service['build']['args']['SERVE']} --host 0.0.0.0")


def member(name: str) -> str:
    """What the image of a process is made of."""
    return next(str(s["build"]["args"]["MEMBER"]) for s in SERVICES.values() if "build" in s and s["image"] == SERVICES[name]["image"])


def test_every_process_of_ours_has_a_file() -> None:
    ours = {name for name, service in SERVICES.items() if service["image"].startswith("microblog/") and not name.endswith("-migrations")}
    assert set(FILES) == ours


@pytest.mark.parametrize("name", [*SERVING, *ONCE])
def test_a_process_is_started_as_in_compose_but_listens_on_both_networks(name: str) -> None:
    assert FILES[name]["deploy"]["startCommand"] == shlex.join(command(name)).replace("--host 0.0.0.0", "--host ::")


@pytest.mark.parametrize("name", SERVING)
def test_a_process_is_asked_where_compose_asks_and_ends_in_the_same_time(name: str) -> None:
    deploy = FILES[name]["deploy"]
    assert URL.endswith(f":8000{deploy['healthcheckPath']}")
    assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "python", "-m", "common.probe"]
    assert f"{deploy['drainingSeconds']}s" == SERVICES[name]["stop_grace_period"]


@pytest.mark.parametrize("name", FILES)
def test_only_what_has_a_database_migrates_it_before_it_starts(name: str) -> None:
    job = SERVICES.get(f"{name.removesuffix('-worker')}-migrations")
    assert FILES[name]["deploy"].get("preDeployCommand") == ([shlex.join(job["command"])] if job else None)


@pytest.mark.parametrize("name", FILES)
def test_an_image_is_built_anew_when_what_it_is_made_of_changes(name: str) -> None:
    build = FILES[name]["build"]
    assert build["dockerfilePath"] == SERVICES["auth"]["build"]["dockerfile"]
    assert {f"{member(name)}/**", "libs/common/**", f"deploy/railway/{name}.toml"} <= set(build["watchPatterns"])


@pytest.mark.parametrize("name", SERVING)
def test_the_guide_names_every_setting_that_has_no_default(name: str) -> None:
    service = name.removesuffix("-worker")
    needed = [
        f"{service}_{field}".upper()
        for field, one in import_module(f"{service}.settings").Settings.model_fields.items()
        if one.is_required()
    ]
    needed += [f"MICROBLOG_{field}".upper() for field, one in SharedSettings.model_fields.items() if one.is_required()]
    named = set(re.findall(r"([A-Z_]+)=", GUIDE))
    assert set(needed) - named == set()
    assert f"MEMBER={member(name)}" in GUIDE
    assert f"`{name}`" in GUIDE
