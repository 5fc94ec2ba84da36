"""F13: slow and cut connections, by Toxiproxy between the gateway and two services, and between these and PostgreSQL."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx
from bed import SETTINGS, answers, bed, start, wait_for
from ledger import Asked, Ledger
from microblog_local.plan import Ports, kept_secrets
from outcomes import Outcome
from reading import Reader, statuses, without_500
from stack import free_block

_MODULE: Final = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0"
_TOXICS: Final[dict[str, dict[str, int]]] = {
    "latency": {"latency": 500, "jitter": 200},
    "bandwidth": {"rate": 5},
    "timeout": {"timeout": 0},
    "reset_peer": {"timeout": 0},
}
"""Milliseconds, and kilobytes a second. A timeout of 0 is half open: nothing comes through, and nobody closes."""
_SERVICES: Final = ("posts", "social")


class Toxiproxy:
    """Proxies by name; a toxic is put on both directions of one and taken away again."""

    def __init__(self, address: str) -> None:
        self.client = httpx.Client(base_url=address, timeout=10)

    def add(self, name: str, listen: int, upstream: int) -> None:
        self._post("/proxies", name=name, listen=f"127.0.0.1:{listen}", upstream=f"127.0.0.1:{upstream}", enabled=True)

    @contextmanager
    def toxic(self, kind: str, names: list[str]) -> Iterator[None]:
        for name in names:
            for stream in ("upstream", "downstream"):
                self._post(f"/proxies/{name}/toxics", name=stream, type=kind, stream=stream, attributes=_TOXICS[kind])
        try:
            yield
        finally:
            self.client.post("/reset").raise_for_status()

    def _post(self, path: str, **fields: Any) -> None:
        self.client.post(path, json=fields).raise_for_status()


def slow_and_cut(folder: Path, random: Random, seconds: float = 10.0) -> Outcome:
    """F13: each toxic for some seconds on each kind of link, under load. Starts a stack of its own, whose links go through the proxy."""
    outcome = Outcome(
        "F13", f"{', '.join(_TOXICS)} for {seconds:.0f} s each: gateway to {' and '.join(_SERVICES)}, and these to PostgreSQL"
    )
    binary = toxiproxy()
    if binary is None:
        outcome.skipped = "no toxiproxy"
        return outcome
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    first = start(folder / "data", SETTINGS)  # makes the databases, which the runner leaves alone once they have an address
    first.stop()
    kept, ports, base = kept_secrets(first.data), Ports(first.port), free_block()
    proxies = {f"to {name}": (base + number, ports.api(name)) for number, name in enumerate(_SERVICES)}
    proxies |= {f"{name} to PostgreSQL": (base + 10 + number, ports.postgres) for number, name in enumerate(_SERVICES)}
    settings = {f"GATEWAY_{name.upper()}_URL": f"http://127.0.0.1:{proxies[f'to {name}'][0]}" for name in _SERVICES}
    for name in _SERVICES:
        port = proxies[f"{name} to PostgreSQL"][0]
        settings[f"{name.upper()}_DATABASE_URL"] = f"postgresql://{name}:{kept['databases'][name]}@127.0.0.1:{port}/{name}"
    links = {"services": [f"to {name}" for name in _SERVICES], "PostgreSQL": [f"{name} to PostgreSQL" for name in _SERVICES]}
    with running(binary, base + 20) as proxy:
        for name, (listen, upstream) in proxies.items():
            proxy.add(name, listen, upstream)
        with bed(folder, port=first.port, **settings) as made, Ledger(made, random) as ledger:
            with Reader(ledger.writers[0].followers[0], "/api/v1/timelines/home") as reader:
                for link, names in links.items():
                    for kind in _TOXICS:
                        _one(outcome, proxy, ledger, reader, f"{kind} to {link}", kind, names, seconds)
            ledger.count().onto(outcome)
    return outcome


def _one(
    outcome: Outcome, proxy: Toxiproxy, ledger: Ledger, reader: Reader, what: str, kind: str, names: list[str], seconds: float
) -> None:
    """One toxic on one kind of link."""
    ledger.writes(5)
    at = time.time()
    with proxy.toxic(kind, names):
        time.sleep(seconds)
    ended = time.time()
    served = wait_for(lambda: _served(ledger.asked(ended), reader.asked, ended), f"answers after {what}", 60)
    asked = ledger.asked(at) + [one for one in reader.asked if one.at >= at]
    slowest = max(one.seconds for one in asked)
    fine = without_500(asked) and slowest <= 11 and served - ended <= 5
    told = f"{statuses(asked)}; slowest {slowest:.1f} s; {served - ended:.1f} s"
    outcome.aim(f"{what}: 200, 503 or 504, ≤ 11 s; recovery ≤ 5 s", told, fine)


def _served(writing: list[Asked], reading: list[Asked], ended: float) -> float | None:
    """When both a write and a read that began after the toxic had gone were answered with 200; None while they weren't."""
    done = [
        min((one.at + one.seconds for one in asked if one.at >= ended and one.status == 200), default=None) for asked in (writing, reading)
    ]
    return max(one for one in done if one is not None) if None not in done else None


@contextmanager
def running(binary: Path, port: int) -> Iterator[Toxiproxy]:
    """A Toxiproxy on the loopback address; its control answers at the port."""
    process = subprocess.Popen(
        [binary, "-host", "127.0.0.1", "-port", str(port)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/version"), "toxiproxy", 10)
        yield Toxiproxy(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


def toxiproxy() -> Path | None:
    """The program, built once with Go into the cache; None without Go, or when it can't be built."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "microblog"
    binary = cache / "toxiproxy-server"
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if binary.exists() or go is None:
        return binary if binary.exists() else None
    built = cache / "toxiproxy-build"
    built.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([go, "install", _MODULE], env={**os.environ, "GOBIN": str(built)}, capture_output=True, timeout=600, check=False)
    if done.returncode != 0:
        return None
    (built / "server").rename(binary)
    built.rmdir()
    return binary
