"""This program and an earlier one, both running at once and asked in turn: `make bench-beside FROM=<commit>`.

A machine that is shared is up to twice as slow in some hours, so runs of two programs one after the other say little. Asked in turn, each gets
as much of every slow minute as the other. Prints the middle of several turns: CPU in ms per request over all processes, and p50 in ms.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from clients import Clients
from load import closed
from running import stack
from usage import Usage

sys.path.insert(0, str(Path(__file__).parents[1]))

from earlier import Unknown, installed

_CLIENTS: Final = (1, 8)
_TURNS: Final = 5
_POSTING: Final = "posting"


class Program:
    """One of both, with the load on it."""

    def __init__(self, port: int, data: Path) -> None:
        self.clients = Clients(f"http://127.0.0.1:{port}", data)
        self._usage = Usage(data)

    async def turn(self, name: str, connections: int, seconds: float) -> tuple[float, float]:
        """CPU in ms per request over all processes, and p50 in ms."""
        send = self.clients.posting if name == _POSTING else self.clients.reading(name)
        await closed(send, connections, 0.5)
        before = self._usage.cpu_ms()
        measured = await closed(send, connections, seconds)
        if name == _POSTING:
            await asyncio.sleep(1.0)  # what a post sets off is part of its cost
        spent = self._usage.cpu_ms() - before
        return spent.total() / len(measured.times), measured.percentile(0.5)


async def compare(earlier: Program, this: Program, seconds: float) -> None:
    """Print a line for each scenario as soon as it is measured."""
    print(f"{'':26} {'clients':>7} {'CPU: earlier':>13} {'this':>7} {'ratio':>6} {'p50: earlier':>13} {'this':>7}", flush=True)
    async with earlier.clients.ready(), this.clients.ready():
        for name in (*this.clients.reads, _POSTING):
            for connections in _CLIENTS:
                before, now = list[tuple[float, float]](), list[tuple[float, float]]()
                for _ in range(_TURNS):
                    before.append(await earlier.turn(name, connections, seconds))
                    now.append(await this.turn(name, connections, seconds))
                (cpu_before, p50_before), (cpu, p50) = _middle(before), _middle(now)
                line = f"{name:26} {connections:7} {cpu_before:13.2f} {cpu:7.2f} {cpu / cpu_before:6.2f} {p50_before:13.1f} {p50:7.1f}"
                print(line, flush=True)


def _middle(turns: list[tuple[float, float]]) -> tuple[float, float]:
    return median(cpu for cpu, _ in turns), median(p50 for _, p50 in turns)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", nargs="?", default="HEAD~1", help="the earlier program (default: the parent of what is checked out)")
    parser.add_argument("--port", type=int, default=8600, help="where the stacks listen: here and 100 further on (default 8600)")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of each turn (default 1.5)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="microblog-earlier-") as folder:
        try:
            python = installed(given.commit, Path(folder))
        except Unknown as unknown:
            parser.error(f"commit: {unknown}")
        Path(folder).chmod(0o755)  # PostgreSQL runs as somebody else
        with stack(given.port, python=str(python)) as earlier, stack(given.port + 100) as this:
            asyncio.run(compare(Program(given.port, earlier), Program(given.port + 100, this), given.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
