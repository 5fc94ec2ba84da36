"""What stands before replicas: gives each connection to the next of several addresses, past those that refuse it."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress


class Balancer:
    """Listens at a free port of loopback; `given` counts what each port behind it was given."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = list(ports)
        self.given: Counter[int] = Counter()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            self._ports.append(self._ports.pop(0))
            for port in list(self._ports):
                try:
                    theirs, ours = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    continue
                self.given[port] += 1
                with closing(ours), suppress(OSError):
                    await asyncio.gather(_copy(reader, ours), _copy(theirs, writer))
                return


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one side has said everything, which ends the other, too."""
    while received := await reader.read(65536):
        writer.write(received)
        await writer.drain()
    writer.close()


@contextmanager
def balancing(*balancers: Balancer) -> Iterator[None]:
    """Have them listen, in a thread of their own."""
    listening, enough = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def work() -> None:
        servers = [await balancer.listen() for balancer in balancers]
        listening.set()
        await enough.wait()
        for server in servers:
            server.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(work()), name="balancers", daemon=True)
    thread.start()
    listening.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(enough.set)
        thread.join(10)
