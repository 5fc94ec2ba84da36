"""An engine as a child process: it answers at a port, keeps its data in a folder, and dies with its parent."""

import ctypes
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LEAST_FREE_BYTES: Final = 200 * 1024 * 1024


class EngineError(Exception):
    """An engine can't run; the message is one line that says what to do."""


class Engine(ABC):
    """Start, probe, stop. Subclasses say what to run and how to see that it answers."""

    name: str

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]: ...

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers its own protocol now."""

    def prepare(self) -> None:
        """What has to be there before the first start; runs before each."""

    def environment(self) -> Mapping[str, str]:
        return {}

    def demotion(self) -> Callable[[], None] | None:
        """What the child does before its program so that it isn't root any more, when it mustn't be."""
        return None

    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    """What ends it when our process has ended without stopping it."""

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    @property
    def log(self) -> Path:
        return self.data / f"{self.name}.log"

    def start(self, wait: float = 60.0) -> None:
        """Run it and return when it answers; raises `EngineError`."""
        self.launch()
        deadline = time.monotonic() + wait
        while not self.ready():
            if self.process is None or self.process.poll() is not None:
                raise EngineError(f"{self.name} ended while starting: {last_words(self.log)} (all of it in {self.log})")
            if time.monotonic() > deadline:
                self.stop()
                raise EngineError(f"{self.name} does not answer after {wait:.0f} s, see {self.log}")
            time.sleep(0.05)

    def launch(self) -> None:
        """Run it without waiting."""
        self.data.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.data).free < _LEAST_FREE_BYTES:
            raise EngineError(f"the disk is full: {self.name} needs 200 MB free at {self.data}")
        if port_taken(self.port):
            raise EngineError(f"port {self.port} for {self.name} is taken: stop what listens there, or choose another port")
        try:
            self.prepare()
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(  # the supervisor owns it for long
                    list(self.command()),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.data,
                    env={**os.environ, **self.environment()},
                    start_new_session=True,
                    preexec_fn=die_with_parent(self.orphan_signal, self.demotion()),
                )
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise EngineError(f"the disk is full: {self.name} can't write to {self.data}") from error
            raise

    def stop(self, wait: float = 20.0) -> None:
        """End it and wait until it is gone; kills it after `wait` seconds."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(wait)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.process = None


def die_with_parent(end: signal.Signals = signal.SIGKILL, demote: Callable[[], None] | None = None) -> Callable[[], None]:
    """What a child runs before its program: another identity if asked for, and (on Linux) an end together with its parent."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def prepare() -> None:
        if demote is not None:
            demote()
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, end)  # after the change of identity, which clears it

    return prepare


def last_words(log: Path) -> str:
    """The last line of a log."""
    try:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1][:300] if lines else "it said nothing"


def port_taken(port: int) -> bool:
    """Whether somebody listens at this port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
