"""The stack that faults are tried on: started as `make run` starts it, with outside services that can fail."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from common.identity import generate_key
from fakes.postmark import FakePostmark
from fakes.server import serving
from fakes.translator import FakeTranslator
from microblog_local.plan import Plan, Ports, kept_secrets, read_settings

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from operating import operate, run, settled
from stack import Stack, free_block, start, wait_for

__all__ = ["SETTINGS", "Bed", "bed", "operate", "run", "settled", "start", "wait_for"]

SETTINGS = {
    "AUTH_ARGON2_MEMORY_KIB": "64",
    "AUTH_ARGON2_TIME": "1",
    "AUTH_CONFIRM_EMAIL": "false",
    "AUTH_SIGN_UPS_PER_HALF_HOUR": "100000",
    "AUTH_THROTTLES": "false",
    "GATEWAY_RATE_LIMITS": "false",
}
"""No limits on how fast the load may go, cheap hashing, and nobody has to open a mail before they write."""

PORTS = {name: offset for offset, name in enumerate(("auth", "posts", "social", "search", "notify", "translate"))}


class Gate:
    """Where faults that are tried side by side, each in a thread, wait for each other before they count: nothing is read to its end while
    somebody writes."""

    def __init__(self, faults: int) -> None:
        self._faults = faults
        self._here: set[threading.Thread] = set()
        self._changed = threading.Condition()

    def come(self, patience: float) -> bool:
        """Wait until all have come or have left, or patience ends; whether they have. Whoever came once doesn't wait again."""
        self.leave()
        with self._changed:
            return self._changed.wait_for(lambda: len(self._here) == self._faults, patience)

    def leave(self) -> None:
        """Have nobody wait for this one."""
        with self._changed:
            self._here.add(threading.current_thread())
            self._changed.notify_all()


@dataclass
class Bed:
    """A running stack and its outside services."""

    stack: Stack
    next_key: str
    """What the gateways will sign with next; services know it already."""
    postmark: FakePostmark
    translator: FakeTranslator
    gate: "Gate | None" = None
    """For faults that are tried side by side."""

    def pid(self, name: str) -> int:
        return self.stack.processes()[name]

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a process by name; return the id that it had."""
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    @contextmanager
    def frozen(self, name: str) -> Iterator[int]:
        """A process that hangs: stopped, its connections stay open. It goes on when the block ends."""
        pid = self.kill(name, signal.SIGSTOP)
        try:
            yield pid
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def own(self) -> list[str]:
        """Names of all processes that aren't engines."""
        return [name for name in self.stack.processes() if name == "gateway" or name.endswith((" api", " worker"))]

    def engines(self) -> list[str]:
        return sorted(self.stack.processes().keys() - set(self.own()))

    def well(self, name: str) -> bool:
        """Whether a process of ours says that it can do its work."""
        return answers(f"{self.address(name)}/health/{'live' if name == 'gateway' else 'self'}")

    def ready(self) -> bool:
        """Whether the whole stack is ready."""
        return answers(f"{self.stack.url}/health/ready")

    def address(self, name: str) -> str:
        service, _, part = name.partition(" ")
        offset = 0 if name == "gateway" else PORTS[service] + (11 if part == "worker" else 1)
        return f"http://127.0.0.1:{self.stack.port + offset}"

    def again(self, name: str, before: int, patience: float = 40.0) -> float:
        """Wait until another process has the name of one that ended, and is well. Seconds since now; raises AssertionError."""
        began = time.monotonic()
        wait_for(lambda: self.stack.processes().get(name, before) != before, f"{name} to be started again", patience)
        wait_for(lambda: self.ready() if name in self.engines() else self.well(name), f"{name} to be well", patience)
        return time.monotonic() - began

    @contextmanager
    def beside(self, name: str, **changed: str) -> Iterator[str]:
        """A second process of a name with the settings of the first, some of them changed; gives its address."""
        stack, port = self.stack, free_block()
        plan = Plan(Ports(stack.port), stack.data, read_settings(stack.data.parent / f"{stack.data.name}.env"))
        first = next(one for one in plan.processes(kept_secrets(stack.data)) if one.name == name)
        module = ["gateway.serving"] if first.edge else ["common.serving", first.target]
        with (stack.data / "logs" / f"{name.replace(' ', '-')}-beside.log").open("wb") as log:
            environment = first.environment | changed | {"PATH": "/usr/bin"}
            process = subprocess.Popen([sys.executable, "-m", *module, "--port", str(port)], env=environment, stdout=log, stderr=log)
        try:
            wait_for(lambda: answers(f"http://127.0.0.1:{port}/health/{'live' if first.edge else 'self'}"), f"a second {name}", 30)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)

    def logged(self) -> dict[str, int]:
        """Lines in the log of each process of ours."""
        return {file.stem: file.read_bytes().count(b"\n") for file in (self.stack.data / "logs").glob("*.log")}


@contextmanager
def bed(folder: Path, *, port: int | None = None, **more: str) -> Iterator[Bed]:
    """A bed in a folder of its own; everything is stopped at the end. Mails of unknown outcome are settled within seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # PostgreSQL runs as somebody else
    postmark, translator = FakePostmark(), FakeTranslator()
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it tells at length of answers that a fake breaks off on purpose
    with ExitStack() as stopping:
        mail = stopping.enter_context(serving(postmark.app()))
        translate = stopping.enter_context(serving(translator.app()))
        keys = [generate_key("gateway"), generate_key("gateway", 2), generate_key("notify")]
        outside = {
            "GATEWAY_SIGNING_KEY": keys[0][0],
            "NOTIFY_SIGNING_KEY": keys[2][0],
            "MICROBLOG_IDENTITY_KEYS": json.dumps({"keys": [public for _, public in keys]}),
            "NOTIFY_MAIL_PROVIDER": "postmark",
            "NOTIFY_POSTMARK_URL": mail,
            "NOTIFY_POSTMARK_TOKEN": postmark.token,
            "NOTIFY_UNKNOWN_WAIT": "1",
            "NOTIFY_UNKNOWN_GRACE": "8",
            "TRANSLATE_PROVIDER": "microsoft",
            "TRANSLATE_MICROSOFT_KEY": translator.key,
            "TRANSLATE_MICROSOFT_ENDPOINT": translate,
        }
        running = start(folder / "data", SETTINGS | outside | more, port=port)
        stopping.callback(running.stop)
        yield Bed(running, keys[1][0], postmark, translator)


def answers(url: str, patience: float = 3.0) -> bool:
    try:
        return httpx.get(url, timeout=patience).status_code == 200
    except httpx.HTTPError:
        return False


def until(look: Callable[[], bool], patience: float) -> float | None:
    """Seconds until it is so, None when it wasn't within `patience` seconds."""
    began = time.monotonic()
    while not look():
        if time.monotonic() - began > patience:
            return None
        time.sleep(0.02)
    return time.monotonic() - began
