"""Somebody who listens: what waits to be sent to them."""

import asyncio
from collections import deque
from typing import Final, NamedTuple

import orjson
from common.identity import Identity

from gateway.identity import Identities
from gateway.streaming.channels import Channel

MOST_WAITING: Final = 500
"""Messages that may wait for a client who doesn't take them; then it is let go, and reads what it missed when it comes back."""


class Message(NamedTuple):
    """What a client is told: `payload` is JSON, or an id, or None where the event says it all."""

    channel: Channel
    event: str
    payload: str | None

    def frame(self) -> str:
        """As a WebSocket has it: JSON whose payload is text."""
        told = {"stream": self.channel.label, "event": self.event}
        return orjson.dumps(told if self.payload is None else told | {"payload": self.payload}).decode()

    def lines(self) -> bytes:
        """As server-sent events have it; there is always something in them, or browsers say nothing. Mastodon calls it so."""
        return f"event: {self.event}\ndata: {'undefined' if self.payload is None else self.payload}\n\n".encode()


class Client:
    """One connection and what waits for it."""

    def __init__(self, identity: Identity, token: str) -> None:
        self.identity = identity
        self.token = token
        self.ended = False
        self._waiting: deque[Message] = deque()
        self._news = asyncio.Event()

    def give(self, message: Message) -> None:
        """Have something sent; a client that takes nothing is let go."""
        if len(self._waiting) >= MOST_WAITING:
            self.end()
            return
        self._waiting.append(message)
        self._news.set()

    async def may_stay(self, identities: Identities) -> bool:
        """Whether the token is good, and whose it is may log in. Raises `AuthAway`."""
        known = await identities.resolve(self.token)
        return known is not None and known.state not in ("suspended", "disabled")

    def end(self) -> None:
        """Let the client go: its token ended, it is too slow, it left, or the process stops."""
        self.ended = True
        self._news.set()

    async def next(self, patience: float) -> list[Message]:
        """What is to be sent now; nothing after so many seconds without anything, or when the client is let go."""
        try:
            async with asyncio.timeout(patience):
                await self._news.wait()
        except TimeoutError:
            return []
        if self.ended:
            return []
        self._news.clear()
        messages = list(self._waiting)
        self._waiting.clear()
        return messages
