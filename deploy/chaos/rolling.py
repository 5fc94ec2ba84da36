"""F2: every container is restarted in turn by SIGTERM while people read, and write twenty posts a second; with two replicas of each nobody notices.

    GATEWAY_PORT=8000-8001 docker compose up --detach --wait --scale posts=2 --scale posts-worker=2 …    (two of everything of ours)
    python deploy/chaos/rolling.py --url http://localhost:8000 --url http://localhost:8001 --mail http://localhost:8025

The stack has to run with GATEWAY_RATE_LIMITS=false and AUTH_SIGN_UPS_PER_HALF_HOUR=1000.
Like a balancer before two gateways, the load goes to the other one when a connection is refused or breaks.
Prints every request that failed, and fails when one did or when a post that was acknowledged is missing or doubled.
"""

import argparse
import json
import re
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

T = TypeVar("T")
_ENGINES = ("postgres", "kafka", "elasticsearch", "mailpit", "telemetry")
_SCOPES = "read write follow"


@dataclass
class Load:
    """What was asked and answered; every failure with its time."""

    urls: list[str]
    acknowledged: dict[str, str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    """Posts that stood in the home feed when it was read, since a feed keeps its newest entries only."""
    enough: threading.Event = field(default_factory=threading.Event)

    def write(self, token: str, word: str) -> None:
        """Post ten times a second until it is enough, however long answers take; each post under a key of its own and never twice."""
        number, began = 0, time.monotonic()
        with self._client(token) as client:
            while not self.enough.wait(max(0.0, began + number * 0.1 - time.monotonic())):
                text = f"{word} {number}"
                number += 1
                answer = self._ask(
                    client, "POST", "/api/v1/statuses", json={"status": text}, headers={"Idempotency-Key": secrets.token_hex(8)}
                )
                if answer is not None:
                    self.acknowledged[answer.json()["id"]] = text

    def read(self, token: str) -> None:
        """Read home feeds until it is enough."""
        with self._client(token) as client:
            while not self.enough.wait(0.02):
                answer = self._ask(client, "GET", "/api/v1/timelines/home?limit=40")
                if answer is not None:
                    self.seen.update(entry["id"] for entry in answer.json())

    def _client(self, token: str) -> httpx.Client:
        return httpx.Client(timeout=15, headers={"Authorization": f"Bearer {token}"})

    def _ask(self, client: httpx.Client, method: str, path: str, **more: object) -> httpx.Response | None:
        self.asked[method] += 1
        told = ""
        for url in self.urls:
            try:
                answer = client.request(method, f"{url}{path}", **more)  # type: ignore[arg-type]
            except httpx.TransportError as error:
                told = repr(error)
                continue  # reading again is harmless, and so is posting again under the same key
            if answer.status_code == 200:
                return answer
            told = f"{answer.status_code} {answer.text[:100]}"
            break
        self.failed.append(f"{time.strftime('%H:%M:%S')} {method} {path}: {told}")
        return None


def sign_up(url: str, mail: str, name: str) -> str:
    """A confirmed person's token; the address of the confirmation comes from the mail catcher."""
    with httpx.Client(base_url=url, timeout=15) as client:
        app = {"client_name": "rolling", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob", "scopes": _SCOPES}
        made = client.post("/api/v1/apps", data=app).raise_for_status().json()
        asked = {
            "grant_type": "client_credentials",
            "scope": _SCOPES,
            "client_id": made["client_id"],
            "client_secret": made["client_secret"],
        }
        own = client.post("/oauth/token", data=asked).raise_for_status().json()["access_token"]
        new = {"username": name, "email": f"{name}@people.example", "password": secrets.token_hex(12), "agreement": True, "locale": "en"}
        person = client.post("/api/v1/accounts", json=new, headers={"Authorization": f"Bearer {own}"}).raise_for_status().json()
        link = wait_for(lambda: _confirmation(mail, name), f"the mail to {name}")
        page = client.get(link[link.index("/confirm?") :]).raise_for_status().text
        form = page[page.index("<form", page.index("<main")) :]
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[: form.index("</form>")]))
        if client.post("/confirm", data=hidden).status_code != 303:
            raise AssertionError("the confirmation was refused")
    return str(person["access_token"])


def _confirmation(mail: str, name: str) -> str | None:
    found = httpx.get(f"{mail}/api/v1/search", params={"query": f"to:{name}@people.example"}).json()["messages"]
    for message in found:
        text = httpx.get(f"{mail}/api/v1/message/{message['ID']}").json()["Text"]
        for link in re.findall(r"https?://\S+/confirm\?\S+", text):
            return str(link)
    return None


def containers() -> dict[str, str]:
    """Our containers: id by name."""
    told = subprocess.run(["docker", "compose", "ps", "--format", "json"], capture_output=True, text=True, check=True).stdout
    rows = [json.loads(line) for line in told.splitlines()]
    return {row["Name"]: row["ID"] for row in rows if row["Service"] not in _ENGINES}


def healthy(container: str) -> bool:
    told = subprocess.run(["docker", "inspect", "-f", "{{.State.Health.Status}}", container], capture_output=True, text=True, check=True)
    return told.stdout.strip() == "healthy"


def wait_for(look: Callable[[], T | None], what: str, patience: float = 60.0) -> T:
    """Look until there is something; raises `AssertionError` with what didn't come."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not come within {patience:.0f} s")


def pages(client: httpx.Client, path: str) -> list[str]:
    """The ids of a whole list, page by page as its `Link` header leads."""
    found: list[str] = []
    answer = client.get(path, params={"limit": 40}).raise_for_status()
    while answer.json():
        found += [entry["id"] for entry in answer.json()]
        if "next" not in answer.links:
            break
        answer = client.get(answer.links["next"]["url"]).raise_for_status()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", action="append", required=True, help="where a gateway answers; give each replica's")
    parser.add_argument("--mail", default="http://localhost:8025", help="the mail catcher")
    given = parser.parse_args()
    names = [f"{who}_{secrets.token_hex(4)}" for who in ("author", "reader")]
    author, reader = (sign_up(given.url[0], given.mail, name) for name in names)
    load = Load(given.url)
    with httpx.Client(base_url=given.url[0], timeout=15, headers={"Authorization": f"Bearer {reader}"}) as client:
        found = client.get("/api/v1/accounts/lookup", params={"acct": names[0]}).raise_for_status().json()
        client.post(f"/api/v1/accounts/{found['id']}/follow").raise_for_status()
        threads = [threading.Thread(target=load.write, args=(author, word)) for word in ("rolling", "restarting")]
        threads += [threading.Thread(target=load.read, args=(reader,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for name, container in sorted(containers().items()):
                began, before = time.monotonic(), len(load.failed)
                subprocess.run(["docker", "restart", container], check=True, capture_output=True)
                wait_for(lambda container=container: healthy(container), f"{name} to be healthy")  # type: ignore[misc]
                print(f"{name}: back after {time.monotonic() - began:.1f} s, {len(load.failed) - before} requests failed", flush=True)
        finally:
            load.enough.set()
            for thread in threads:
                thread.join()
        wrong, expected = [], load.acknowledged.keys()
        for path, before in ((f"/api/v1/accounts/{found['id']}/statuses", set[str]()), ("/api/v1/timelines/home", load.seen)):
            try:
                wait_for(lambda path=path, before=before: before | set(pages(client, path)) == expected, path)  # type: ignore[misc]
            except AssertionError:
                there = before | set(pages(client, path))
                wrong.append(f"{path}: {len(expected - there)} lost, {len(there - expected)} that nobody was told of")
            twice = [an_id for an_id, times in Counter(pages(client, path)).items() if times > 1]
            if twice:
                wrong.append(f"{path}: {len(twice)} doubled")
    print("\n".join(load.failed + wrong))
    print(
        f"{sum(load.asked.values())} requests ({load.asked['POST']} posts), {len(load.failed)} failed, {len(load.acknowledged)} posts acknowledged"
    )
    return 1 if load.failed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
