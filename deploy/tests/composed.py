"""The stack of `compose.yaml` for end-to-end tests (`TEST_STACK=containers`): a project of its own, on free ports of loopback, that goes with its data.

A test that looks into what only the local runner has is skipped, and says so.
"""

import json
import os
import secrets
import subprocess
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
import yaml
from common.databases import password_variable
from common.keys import fill
from stack import Mail, Stack, free_block, wait_for

ROOT = Path(__file__).parents[2]
_WITH_SECRETS = {"accounts": "auth", "announcements": "notify"}
"""What belongs to the container of the service whose secrets it needs (docs/operating.md)."""
_PORTS = ("GATEWAY_PORT", "MAILPIT_PORT", "GRAFANA_PORT", "POSTGRES_PORT", "KAFKA_PORT", "ELASTICSEARCH_PORT")


def wanted() -> bool:
    """Whether the tests are to run on containers."""
    return os.environ.get("TEST_STACK") == "containers"


def bridge() -> str:
    """Where containers reach what listens on this machine for them: its address on Docker's own network."""
    asked = ["docker", "network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"]
    (known,) = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)
    return str(known.get("Gateway") or next(ip_network(known["Subnet"]).hosts()))  # older daemons tell it from the first container on


class ComposedStack(Stack):
    """Containers of this project, reached as somebody outside reaches them."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        base = free_block()
        super().__init__(base, folder, process=None)  # type: ignore[arg-type]
        self._folder = folder
        self._project = f"microblog-tests-{secrets.token_hex(4)}"
        self._settings = {name: str(base + offset) for offset, name in enumerate(_PORTS)}
        self._settings |= {"MICROBLOG_PUBLIC_URL": self.url} | settings
        made = dict(line.split("=", 1) for line in fill((ROOT / ".env.example").read_text().splitlines()) if "=" in line and line[0] != "#")
        self._settings = made | self._settings
        self._env.write_text("".join(f"{name}={value}\n" for name, value in self._settings.items()))
        self._env.chmod(0o600)

    @property
    def _env(self) -> Path:
        return self._folder / "containers.env"

    def _compose(self, *arguments: str) -> list[str]:
        command = ["docker", "compose", "--project-name", self._project, "--project-directory", str(ROOT), "--env-file", str(self._env)]
        return [*command, "--file", str(ROOT / "compose.yaml"), *arguments]

    def up(self) -> None:
        """Start everything but telemetry, which no test looks at, and wait until the whole stack is ready."""
        services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
        chosen = [name for name, service in services.items() if "app" in service["profiles"] and name != "telemetry"]
        command = self._compose("up", "--detach", "--wait", "--wait-timeout", "300", *chosen)
        done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, "\n".join([done.stderr, *self.last_words().values()])
        wait_for(lambda: httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200, "the containers to be ready", 60)

    def stop(self) -> int:
        command = self._compose("--profile", "app", "--profile", "tools", "down", "--volumes", "--timeout", "40")
        return subprocess.run(command, capture_output=True, timeout=300, check=False).returncode

    def operator(self, *arguments: str) -> list[str]:
        if arguments[0] in _WITH_SECRETS:
            service = _WITH_SECRETS[arguments[0]]
            return self._compose("exec", "--no-TTY", service, "python", "-m", f"{service}.cli", *arguments[1:])
        return self._compose("--progress", "quiet", "run", "--rm", "--no-TTY", "operator", *arguments)

    @property
    def kafka(self) -> str:
        return f"localhost:{self._settings['KAFKA_PORT']}"

    def database(self, service: str) -> str:
        return f"postgresql://{service}:{self._settings[password_variable(service)]}@127.0.0.1:{self._settings['POSTGRES_PORT']}/{service}"

    def mails_to(self, address: str) -> list[Mail]:
        """What the mail catcher has for somebody."""
        with httpx.Client(base_url=f"http://127.0.0.1:{self._settings['MAILPIT_PORT']}/api/v1") as mailpit:
            found: Any = mailpit.get("/search", params={"query": f'to:"{address}"', "limit": 200}).raise_for_status().json()
            return [self._mail(mailpit, entry["ID"]) for entry in reversed(found["messages"])]

    @staticmethod
    def _mail(mailpit: httpx.Client, number: str) -> Mail:
        body = mailpit.get(f"/message/{number}").raise_for_status().json()
        headers = mailpit.get(f"/message/{number}/headers").raise_for_status().json()
        text, html = (body[kind].replace("\r\n", "\n") for kind in ("Text", "HTML"))  # as SMTP has lines
        return Mail(body["Subject"], text, {name: values[0] for name, values in headers.items()}, html)

    def last_words(self, lines: int = 30) -> dict[str, str]:
        done = subprocess.run(self._compose("logs", "--no-color", "--tail", str(lines)), capture_output=True, text=True, check=False)
        return {"containers": done.stdout}

    @property
    def data(self) -> Path:
        _runners_only()

    @data.setter
    def data(self, folder: Path) -> None:
        """The runner's folder, which containers don't have."""

    def processes(self) -> dict[str, int]:
        _runners_only()

    @property
    def mail_folder(self) -> Path:
        _runners_only()


def _runners_only() -> NoReturn:
    pytest.skip("looks at what only the local runner has")
