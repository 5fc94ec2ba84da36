"""A stack of its own for a benchmark, with production settings; what the machine is, and how fast it is right now."""

import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def stack(port: int, python: str = sys.executable, **settings: str) -> Iterator[Path]:
    """The data folder of a stack with the demo community, of the program that is installed for `python`; it is stopped and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="microblog-bench-"))
    folder.chmod(0o755)
    (folder / "bench.env").write_text("".join(f"{name}={value}\n" for name, value in {"GATEWAY_RATE_LIMITS": "false", **settings}.items()))
    command = [python, "-m", "microblog_local", "run", "--port", str(port), "--data", str(folder / "data")]
    print(f"machine: {_machine()}", flush=True)
    print(f"reference: {reference():.0f} ms of CPU for ten million additions; machines that are shared are not always as fast", flush=True)
    with (folder / "out").open("wb") as output:
        running = subprocess.Popen([*command, "--env", str(folder / "bench.env")], stdout=output, stderr=output)
    try:
        _wait_for_demo(running, folder / "data", folder / "out")
        yield folder / "data"
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(60)
        shutil.rmtree(folder)


def reference() -> float:
    """What a fixed piece of work costs here and now, in ms of CPU: figures of two runs compare only as far as this does."""
    began, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number
    return (time.process_time() - began) * 1000


def _machine() -> str:
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?")
    return f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}, Python {platform.python_version()}"


def _wait_for_demo(running: subprocess.Popen[bytes], data: Path, output: Path) -> None:
    deadline = time.monotonic() + 180
    while not (data / "demo-loaded").exists():
        if running.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the stack did not start:\n{output.read_text()}")
        time.sleep(0.2)
