"""Kafka's classes, loaded and linked ahead of time (JEP 483 and 514).

A start then takes a third of the time and half of the processor's. Java writes the cache at the end of a run that is observed, which takes a
quarter of a minute once.
"""

import fcntl
import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from engines.kafka import Kafka, ahead_of_time
from engines.process import EngineError

_LONGEST: Final = 120.0


class _Observed(Kafka):
    def command(self) -> Sequence[str]:
        java, *more = super().command()
        return [java, f"-XX:AOTCacheOutput={self.data / 'written.aot'}", *more]


def train(jars: Path, report: Callable[[str], None] = lambda line: None) -> None:
    """Make the cache unless it is there. Without one all works, only slower: what goes wrong is left at that."""
    wanted = ahead_of_time(jars)
    with (jars / "training.lock").open("w") as lock, suppress(EngineError, OSError):
        fcntl.flock(lock, fcntl.LOCK_EX)
        if wanted.exists():
            return
        report("having Java load Apache Kafka ahead of time (15 s, once)")
        with tempfile.TemporaryDirectory(prefix="training.", dir=jars) as folder:
            broker = _Observed(Path(folder), _free_port(), _free_port(), jars)
            broker.start()
            broker.stop(_LONGEST)
            (broker.data / "written.aot").rename(wanted)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
