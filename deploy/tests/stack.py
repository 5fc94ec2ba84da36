"""The real stack for end-to-end tests: started as `make run` starts it, on ports of its own."""

import email
import email.policy
import io
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx
from PIL import Image

HOOK_SECRET = "secret-of-webhooks"
T = TypeVar("T")


@dataclass
class Person:
    """Somebody with a token."""

    name: str
    token: str
    client: httpx.Client
    account: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.account["id"])

    def get(self, path: str, **params: Any) -> Any:
        answer = self.client.get(path, params=params)
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def post(self, path: str, **fields: Any) -> Any:
        answer = self.client.post(path, json=fields)
        assert answer.status_code == 200, f"POST {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def pages(self, path: str) -> list[dict[str, Any]]:
        """A whole list, page by page as its `Link` header leads."""
        found: list[dict[str, Any]] = []
        answer = self.client.get(path, params={"limit": 40})
        while answer.status_code == 200:
            found += answer.json()
            following = answer.links.get("next")
            if following is None or not answer.json():
                return found
            answer = self.client.get(following["url"])
        raise AssertionError(f"{path}: {answer.status_code} {answer.text}")

    def write(self, text: str, **more: Any) -> Any:
        return self.post("/api/v1/statuses", status=text, **more)

    def follow(self, other: "Person") -> Any:
        return self.post(f"/api/v1/accounts/{other.id}/follow")


class Mail(NamedTuple):
    """A mail as its reader has it."""

    subject: str
    text: str
    headers: dict[str, str]
    html: str
    stream: str = ""


@dataclass
class Stack:
    """A running stack and how to reach its parts."""

    port: int
    data: Path
    process: subprocess.Popen[bytes]
    postmark: str | None = None
    """Where the provider answers that has all mails; without one they lie in a folder."""

    _apps: dict[str, dict[str, Any]] = field(default_factory=dict)
    _mails: dict[str, EmailMessage] = field(default_factory=dict)
    """By file: there are thousands after a while, and each is read once."""

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def mail_folder(self) -> Path:
        return self.data / "mail"

    def processes(self) -> dict[str, int]:
        """Process ids by name, engines included."""
        rows = json.loads((self.data / "status.json").read_text())
        return {row["name"]: row["pid"] for row in rows if row["pid"]}

    @property
    def kafka(self) -> str:
        """Where its broker is."""
        return f"127.0.0.1:{self.port + 21}"

    def operator(self, *arguments: str) -> list[str]:
        """The operator's command on this stack."""
        return [sys.executable, "-m", "microblog_local", "operate", "--port", str(self.port), "--data", str(self.data), "--", *arguments]

    def database(self, service: str) -> str:
        kept = json.loads((self.data / "secrets.json").read_text())
        return f"postgresql://{service}:{kept['databases'][service]}@127.0.0.1:{self.port + 20}/{service}"

    def client(self, token: str | None = None) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=20, headers={"Authorization": f"Bearer {token}"} if token else {})

    def browser(self, **headers: str) -> httpx.Client:
        """A browser without scripts. It comes from an address of its own where that can be had, so that many of them may log in."""
        transport = httpx.HTTPTransport(local_address=own_address())
        return httpx.Client(base_url=self.url, timeout=20, headers=headers, transport=transport)

    def app_token(self, scopes: str = "read write follow push") -> tuple[dict[str, Any], str]:
        """An OAuth app, made once for the same scopes, and a new token of its own."""
        with self.client() as client:
            if scopes not in self._apps:
                new = {"client_name": "tests", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob", "scopes": scopes}
                self._apps[scopes] = client.post("/api/v1/apps", data=new).raise_for_status().json()
            app = self._apps[scopes]
            asked = {
                "grant_type": "client_credentials",
                "client_id": app["client_id"],
                "client_secret": app["client_secret"],
                "scope": scopes,
            }
            return app, client.post("/oauth/token", data=asked).json()["access_token"]

    def new_person(self, name: str = "", *, confirmed: bool = True, password: str = "correct horse battery") -> Person:
        """Sign somebody up through the API and confirm them by their mail."""
        name = f"{name or 'p'}_{secrets.token_hex(4)}"
        _, token = self.app_token()
        new = {"username": name, "email": f"{name}@people.example", "password": password, "agreement": True, "locale": "en"}
        with self.client(token) as client:
            answer = client.post("/api/v1/accounts", json=new)
        assert answer.status_code == 200, answer.text
        person = Person(name, answer.json()["access_token"], self.client(answer.json()["access_token"]))
        if confirmed:
            self.confirm(name)
            person.account = person.get("/api/v1/accounts/verify_credentials")
        return person

    def confirm(self, name: str) -> None:
        link = self.mailed_link(f"{name}@people.example", "/confirm?")
        with httpx.Client(base_url=self.url, timeout=20) as browser:
            answer = self.submit(browser, link[link.index("/confirm?") :])
        assert answer.status_code == 303, answer.text

    def submit(self, browser: httpx.Client, path: str, action: str | None = None, **fields: Any) -> httpx.Response:
        """Open a page, fill in a form (the first, or the one with this action) and send it, as a browser without scripts does."""
        hidden, target = self.form(browser, path, action)
        return browser.post(target, data={**hidden, **fields})

    def form(self, browser: httpx.Client, path: str, action: str | None = None) -> tuple[dict[str, str], str]:
        """Open a page and return a form's hidden fields and where it is sent; a button that sends a form elsewhere counts as one of its own."""
        page = browser.get(path)
        assert page.status_code == 200, page.text
        forms = re.findall(r"<form([^>]*)>(.*?)</form>", page.text[page.text.index("<main") :], re.S)
        button = re.search(rf'<button[^>]* form="act" formaction="({re.escape(action)})(?:#[^"]*)?"', page.text) if action else None
        found = [form for form in forms if (' id="act"' in form[0] if button else action is None or f'action="{action}"' in form[0])]
        assert found, f"no form {action or ''} on {path}"
        attributes, inside = found[0]
        target = button or re.search(r'action="([^"]*)"', attributes)
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', inside)
        return {name: unescape(value) for name, value in hidden}, target[1].split("#")[0] if target else path.split("?")[0]

    def mails_to(self, address: str) -> list[Mail]:
        """What was mailed to somebody, in the order of sending, as often as it was."""
        return self._delivered_to(address) if self.postmark else self._filed_for(address)

    def _delivered_to(self, address: str) -> list[Mail]:
        found = httpx.get(f"{self.postmark}/delivered", params={"to": address}).raise_for_status().json()
        return [
            Mail(m["Subject"], m["TextBody"], {h["Name"]: h["Value"] for h in m["Headers"]}, m["HtmlBody"], m["MessageStream"])
            for m in found
        ]

    def _filed_for(self, address: str) -> list[Mail]:
        for file in self.mail_folder.glob("*.eml"):
            if file.name not in self._mails:
                self._mails[file.name] = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        found = []
        for message in self._mails.values():
            if str(message["To"]) == address:
                body, html = message.get_body(("plain",)), message.get_body(("html",))
                assert body is not None
                assert html is not None
                found.append(Mail(str(message["Subject"]), body.get_content(), dict(message.items()), html.get_content()))
        return found

    def mailed_link(self, address: str, containing: str) -> str:
        """The newest link of a kind that was mailed to somebody; waits for it."""

        def look() -> str | None:
            for mail in reversed(self.mails_to(address)):
                for link in re.findall(r"https?://\S+", mail.text):
                    if containing in link:
                        return str(link)
            return None

        return wait_for(look, f"a mail with {containing} to {address}")

    def stop(self) -> int:
        """End it as Ctrl-C does; nothing of it may be left."""
        from microblog_local.supervisor import LONGEST_STOP  # whoever is only attached to a stack hasn't got it

        processes = descendants(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        status = self.process.wait(LONGEST_STOP)
        left = [pid for pid in processes if lives(pid)]
        assert left == [], f"processes that outlive the runner: {left}"
        return status

    def last_words(self, lines: int = 30) -> dict[str, str]:
        """The end of what the runner and each process wrote, by file."""
        files = [self.data.parent / f"{self.data.name}.out", *sorted(self.data.glob("*/*.log"))]
        return {file.stem: "\n".join(file.read_text("utf-8", "replace").splitlines()[-lines:]) for file in files if file.exists()}


def start(data: Path, settings: dict[str, str], patience: float = 90.0, port: int | None = None, python: str = sys.executable) -> Stack:
    """Start a stack and wait until everything serves; elsewhere, where somebody else took one of its ports after they were looked at."""
    for _ in range(3):
        stack = _launch(data, settings, port or free_block(), python)
        try:
            wait_for(lambda stack=stack: _ready(stack), "the stack to be ready", patience)  # type: ignore[misc]
        except PortTaken:
            if port is not None:
                raise
            continue
        except BaseException:
            stack.stop()
            raise
        return stack
    raise AssertionError("three times in a row somebody else took a port of the stack")


class PortTaken(AssertionError):
    """The stack ended since a port was not free any more."""


def _launch(data: Path, settings: dict[str, str], port: int, python: str) -> Stack:
    env = data.parent / f"{data.name}.env"
    env.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    command = [python, "-m", "microblog_local", "run", "--no-demo", "--port", str(port), "--data", str(data), "--env", str(env)]
    with (data.parent / f"{data.name}.out").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, env={**os.environ})
    return Stack(port, data, process, settings.get("NOTIFY_POSTMARK_URL"))


def _ready(stack: Stack) -> bool:
    if stack.process.poll() is not None:
        said = "\n".join(stack.last_words().values())
        raise (PortTaken if re.search(r"ports? \d.* taken|Address already in use", said) else AssertionError)(f"the stack ended: {said}")
    try:
        return httpx.get(f"{stack.url}/health/ready", timeout=3).status_code == 200
    except httpx.HTTPError:
        return False


def picture(colour: str = "teal") -> bytes:
    """A JPEG of 1200 by 800 pixels."""
    out = io.BytesIO()
    Image.new("RGB", (1200, 800), colour).save(out, "JPEG")
    return out.getvalue()


def own_address() -> str | None:
    """Some address of this machine that others in the tests don't use; None where there is only one."""
    address = f"127.{secrets.randbelow(250) + 2}.{secrets.randbelow(250) + 2}.{secrets.randbelow(250) + 2}"
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return None
    return address


def free_block() -> int:
    """A port whose next thirty are free, too."""
    for base in range(15_000 + 40 * secrets.randbelow(300), 32_000, 40):
        if all(_free(base + offset) for offset in range(30)):
            return base
    raise AssertionError("no thirty free ports in a row")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_for(look: Callable[[], T | None], what: str, patience: float = 15.0) -> T:
    """Look until there is something, or say what didn't come."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = look()
        if found is not None and found is not False:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {patience:.0f} s")


def descendants(pid: int) -> list[int]:
    """Every process below one, whatever its name."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(folder.name))
    found, waiting = [], [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.append(child)
            waiting.append(child)
    return found


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
