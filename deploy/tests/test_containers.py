"""What the container files say: locks that agree, settings that exist, each service with its own database and secrets only."""

import json
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from common.keys import fill
from common.serving import LONGEST_END
from common.settings import SharedSettings
from microblog_operator.backups.manifest import LEFT_OUT
from pydantic_settings import BaseSettings

ROOT = Path(__file__).parents[2]
SERVICES = ("auth", "posts", "social", "search", "notify", "translate", "gateway")
OURS = [*SERVICES, *(f"{name}-worker" for name in SERVICES if name != "gateway")]
LOCKS = [*ROOT.glob("services/*/requirements.lock"), ROOT / "gateway/requirements.lock", ROOT / "deploy/operator/requirements.lock"]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return read


def pinned(lock: Path) -> set[str]:
    return {line.split(" \\")[0] for line in lock.read_text().splitlines() if re.match(r"[a-z0-9]", line)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_an_image_has_the_versions_that_are_tested(lock: Path) -> None:
    tested = {line.split(" ;")[0] for line in pinned(ROOT / "requirements.lock")}
    assert {line.split(" ;")[0] for line in pinned(lock)} - tested == set()
    assert "--index-url" not in lock.read_text()


def test_there_is_a_lock_for_every_image(compose: dict[str, Any]) -> None:
    members = {service["build"]["args"]["MEMBER"] for service in compose["services"].values() if "build" in service}
    assert members == {str(lock.parent.relative_to(ROOT)) for lock in LOCKS}


@pytest.mark.parametrize("name", OURS)
def test_a_process_knows_its_own_settings_and_no_other_service_s(compose: dict[str, Any], name: str) -> None:
    service = name.removesuffix("-worker")
    given = set(compose["services"][name]["environment"])
    settings: type[BaseSettings] = import_module(f"{service}.settings").Settings
    own = {f"{service.upper()}_{field}".upper() for field in settings.model_fields}
    shared = {f"MICROBLOG_{field}".upper() for field in SharedSettings.model_fields} - {"MICROBLOG_REPLICA", "MICROBLOG_TOPIC_REPLICATION"}
    assert given == own | shared


@pytest.mark.parametrize("name", OURS)
def test_a_process_can_write_nothing_but_its_pictures(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert (service["read_only"], service["cap_drop"], service["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])
    assert [volume.split(":")[1] for volume in service.get("volumes", [])] in ([], ["/var/lib/microblog"])


@pytest.mark.parametrize("name", OURS)
def test_a_process_is_given_the_time_that_its_end_may_take(compose: dict[str, Any], name: str) -> None:
    assert float(compose["services"][name]["stop_grace_period"].removesuffix("s")) >= LONGEST_END + 2


def test_whatever_is_published_is_published_on_loopback(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 6
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_engines_run_alone_by_their_profile(compose: dict[str, Any]) -> None:
    engines = {name for name, service in compose["services"].items() if "engines" in service["profiles"]}
    assert engines == {"postgres", "databases", "kafka", "elasticsearch", "mailpit", "telemetry"}
    assert all("app" in compose["services"][name]["profiles"] for name in [*engines, *OURS])


def test_topics_come_from_their_file_and_none_by_itself(compose: dict[str, Any]) -> None:
    assert compose["services"]["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert compose["services"]["topics"]["command"] == ["python", "-m", "common.topics"]
    waiting = {name for name, service in compose["services"].items() if "topics" in service.get("depends_on", {})}
    assert waiting == {f"{name}-worker" for name in SERVICES if name != "gateway"}


def test_all_secrets_of_the_example_are_made_and_the_rest_stays() -> None:
    example = (ROOT / ".env.example").read_text().splitlines()
    first, second = fill(example), fill(example)
    changed = {line.split("=")[0] for line, other in zip(first, second, strict=True) if line != other}
    assert changed == {line.rstrip("=") for line in example if re.fullmatch(r"[A-Z_]+=", line)}
    assert [line for line in first if line.split("=")[0] not in changed] == [line for line in example if line.split("=")[0] not in changed]


def test_a_backup_names_every_secret_that_it_leaves_out() -> None:
    made = {line.rstrip("=") for line in (ROOT / ".env.example").read_text().splitlines() if re.fullmatch(r"[A-Z_]+=", line)}
    given = {
        f"{service}_{name}".upper()
        for service in SERVICES
        for name, field in import_module(f"{service}.settings").Settings.model_fields.items()
        if "SecretStr" in str(field.annotation) and name != "database_url"
    }
    assert set(LEFT_OUT) == made | given


def test_keys_that_belong_together_are_not_made_one_by_one() -> None:
    with pytest.raises(ValueError, match="GATEWAY_SIGNING_KEY, MICROBLOG_IDENTITY_KEYS, NOTIFY_SIGNING_KEY belong together"):
        fill(["GATEWAY_SIGNING_KEY='{}'", "NOTIFY_SIGNING_KEY=", "MICROBLOG_IDENTITY_KEYS="])


def test_a_key_for_a_change_of_keys_has_the_next_number() -> None:
    made = subprocess.run([sys.executable, "-m", "common.keys", "gateway", "2"], capture_output=True, text=True, check=True).stdout
    private, public = map(json.loads, made.splitlines())
    assert (private["kid"], public["kid"], private["x"] == public["x"], "d" in public) == ("gateway.2", "gateway.2", True, False)


def test_images_keep_the_languages_that_pages_and_mails_speak() -> None:
    kept = set(re.findall(r"! -name '(\w\w)\*'", (ROOT / "deploy/images/Dockerfile").read_text()))
    spoken = {path.parent.name for path in ROOT.glob("*/**/locale/*/messages.po") if ".venv" not in path.parts}
    assert kept == spoken | {"en"}


@pytest.mark.skipif(shutil.which("docker") is None, reason="no docker here")
def test_compose_accepts_the_file_with_a_filled_example(tmp_path: Path) -> None:
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no docker compose here")
    settings = tmp_path / "env"
    settings.write_text("\n".join(fill((ROOT / ".env.example").read_text().splitlines())))
    command = ["docker", "compose", "--project-directory", str(ROOT), "--file", str(ROOT / "compose.yaml"), "--env-file", str(settings)]
    done = subprocess.run([*command, "config", "--quiet"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
