"""How much the gateway takes on at once: requests in flight, bodies in memory, and how long a body may take to arrive."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.types import Message, Receive

PATIENCE: Final = 8.0
"""Seconds for a body to arrive, and the longest pause in it."""
_PACE: Final = 16_000
"""Bytes a second that buy a body more time: a slow phone's pace, far above what costs an attacker nothing."""
_SMALL: Final = 16_000
"""Bytes of a body that is always taken, so that large ones under way keep nobody from writing a post."""


class Unreadable(Exception):
    """The body breaks off or isn't framed as HTTP says; whether the client is still there can't be told."""


class TooLarge(Exception):
    """The body is larger than the route takes."""


class TooSlow(Exception):
    """The body doesn't arrive in time."""


class Overloaded(Exception):
    """There is more to do than the gateway takes on; `full` names what is full."""

    def __init__(self, full: str) -> None:
        super().__init__(full)
        self.full = full


class Gate:
    """Counts what is under way, and knows when that is enough."""

    def __init__(self, name: str, most: int) -> None:
        self.name = name
        self.most = most
        self.inside = 0

    @property
    def full(self) -> bool:
        return self.inside >= self.most

    def __enter__(self) -> None:
        """Count one more; raises `Overloaded` when that is too many."""
        if self.inside >= self.most:
            raise Overloaded(self.name)
        self.inside += 1

    def __exit__(self, *_: object) -> None:
        self.inside -= 1


class Bodies:
    """Reads bodies whole, and holds no more than `most` bytes of them at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @asynccontextmanager
    async def read(self, receive: Receive, headers: dict[str, str], most: int) -> AsyncIterator[bytes]:
        """The body while the request lasts, never more than `most` bytes.

        Raises `TooLarge`, `TooSlow`, `Unreadable`, and `Overloaded` when too many bytes are held already.
        """
        told = headers.get("content-length", "0")
        if told.isdigit() and int(told) > most:
            raise TooLarge
        if told == "0" and "transfer-encoding" not in headers:
            yield b""  # nothing else says that there is one (RFC 9112, 6.3)
            return
        whole = bytearray()
        try:
            await self._rest(receive, whole, most)
            yield bytes(whole)
        finally:
            self._held -= len(whole)

    async def _rest(self, receive: Receive, whole: bytearray, most: int) -> None:
        clock, more = asyncio.get_running_loop().time, True
        try:
            async with asyncio.timeout(PATIENCE) as limit:
                while more:
                    part, more = _part(await receive())
                    whole += part
                    self._held += len(part)
                    if len(whole) > most:
                        raise TooLarge
                    if self._held > self._most and len(whole) > _SMALL:
                        raise Overloaded("bodies")
                    until = limit.when()
                    if more and part and until is not None:
                        limit.reschedule(min(until + len(part) / _PACE, clock() + PATIENCE))
        except TimeoutError:
            raise TooSlow from None


def _part(message: Message) -> tuple[bytes, bool]:
    """A piece of the body, and whether more comes."""
    if message["type"] == "http.disconnect":
        raise Unreadable
    return message.get("body", b""), bool(message.get("more_body"))
