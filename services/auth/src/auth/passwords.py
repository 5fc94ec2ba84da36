"""Passwords: argon2id in a pool of two threads, with a bounded queue, since each hash takes 22 ms of a core and 19 MB."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from auth.domain import Busy

T = TypeVar("T")

_QUEUE: Final = 64


class Passwords:
    """Hashes and verifies; unknown people cost the same time as known ones."""

    def __init__(self, memory_kib: int, time_cost: int) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
        self._waiting = 0
        self._dummy = self._hasher.hash("a password that nobody has")

    async def hash(self, password: str) -> str:
        """Return the encoded hash with its parameters; raises `Busy`."""
        return await self._run(self._hasher.hash, password)

    async def verify(self, password: str, encoded: str | None) -> bool:
        """Whether the password fits; with None (nobody by that name) the same work is done in vain. Raises `Busy`."""
        fits = await self._run(self._verify, encoded or self._dummy, password)
        return fits and encoded is not None

    def outdated(self, encoded: str) -> bool:
        """Whether the hash was made with other parameters and should be made again at the next log-in."""
        return self._hasher.check_needs_rehash(encoded)

    def _verify(self, encoded: str, password: str) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except VerificationError:
            return False

    async def _run(self, work: Callable[..., T], *arguments: str) -> T:
        if self._waiting >= _QUEUE:
            raise Busy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
        finally:
            self._waiting -= 1
