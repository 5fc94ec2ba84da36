"""From a client's opaque token to who calls: asked of `auth` once, remembered, asked again after a minute."""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from common.identity import Identity

from gateway.services import Services

log = logging.getLogger(__name__)

FRESH_FOR: Final = 60.0
KEPT_FOR: Final = 15 * 60.0
_UNKNOWN_FOR: Final = 3.0
_PATIENCE: Final = 0.5
"""Seconds that somebody who is known waits for `auth` to say so again."""
_MOST: Final = 50_000

GATEWAY: Final = Identity(kind="service", name="gateway")


@dataclass(frozen=True, slots=True)
class Known:
    """Who a token stands for; `state` is the account's, `session` tells a web session from an app's token."""

    identity: Identity
    state: str
    session: bool


class AuthAway(Exception):
    """`auth` can't be asked, and the token isn't remembered."""


@dataclass(slots=True)
class _Entry:
    known: Known | None
    checked: float


@dataclass(frozen=True, slots=True)
class _Asking:
    """A question to `auth` under way; `since` in the loop's seconds."""

    task: asyncio.Task[Known | None]
    since: float


class Identities:
    """Remembers what tokens stand for. While `auth` is away, what was known stays good for 15 minutes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._forgotten = 0
        self._asking: dict[bytes, _Asking] = {}

    async def resolve(self, token: str, before_asking: Callable[[], None] | None = None) -> Known | None:
        """Return who the token stands for, None when nobody; raises `AuthAway`.

        `before_asking` is called before `auth` is asked about a token that isn't known to be good, and may raise to prevent that.
        """
        key = hashlib.sha256(token.encode()).digest()
        entry, now = self._entries.get(key), time.monotonic()
        if entry is not None and now - entry.checked < (FRESH_FOR if entry.known else _UNKNOWN_FOR):
            return entry.known
        if before_asking is not None and (entry is None or entry.known is None):
            before_asking()
        asking = self._asking.get(key) or self._begin_asking(key, token)
        if entry is None or entry.known is None or now - entry.checked >= KEPT_FOR:
            return await asyncio.shield(asking.task)
        left = asking.since + _PATIENCE - asyncio.get_running_loop().time()
        try:
            return await asyncio.wait_for(asyncio.shield(asking.task), max(0, left))
        except (TimeoutError, AuthAway):
            return entry.known

    def _begin_asking(self, key: bytes, token: str) -> "_Asking":
        """Ask `auth` once for all who come meanwhile; nobody has to wait for the end of it."""
        asking = _Asking(asyncio.create_task(self._ask(key, token)), asyncio.get_running_loop().time())
        self._asking[key] = asking

        def done(task: asyncio.Task[Known | None]) -> None:
            self._asking.pop(key, None)
            if not task.cancelled():
                task.exception()  # whoever waited was told

        asking.task.add_done_callback(done)
        return asking

    def forget(self, account_id: int, token_ids: list[int] | None) -> None:
        """Drop what was remembered of an account, or of single tokens of it (an app's own have account 0)."""
        self._forgotten += 1
        gone = [
            key
            for key, entry in self._entries.items()
            if entry.known is not None
            and (entry.known.identity.token_id in token_ids if token_ids else entry.known.identity.account_id == account_id)
        ]
        for key in gone:
            del self._entries[key]

    def forget_token(self, token: str) -> None:
        """Drop one token that was just ended through this gateway."""
        self._entries.pop(hashlib.sha256(token.encode()).digest(), None)

    async def _ask(self, key: bytes, token: str) -> Known | None:
        forgotten = self._forgotten
        answer = await self._services.call("auth", "POST", "/internal/introspect", identity=GATEWAY, json={"token": token})
        if answer.status not in (200, 404, 422):  # 422: what can't be a token at all
            raise AuthAway
        known = _known(answer.json()) if answer.status == 200 else None
        if forgotten != self._forgotten:
            return known  # it may have been asked before, and answered after, what made it wrong: ask again next time
        self._entries[key] = _Entry(known, time.monotonic())
        self._entries.move_to_end(key)
        if len(self._entries) > _MOST:
            self._entries.popitem(last=False)
        return known


def _known(told: dict[str, object]) -> Known:
    scopes = told["scopes"]
    assert isinstance(scopes, list)  # noqa: S101 - auth's contract
    identity = Identity(
        kind=str(told["kind"]),
        account_id=int(str(told["account_id"])),
        name=str(told["username"]),
        role=str(told["role"]),
        scopes=frozenset(scopes),
        app_name=None if told["app_name"] is None else str(told["app_name"]),
        app_website=None if told["app_website"] is None else str(told["app_website"]),
        token_id=int(str(told["token_id"])),
        locale=str(told["locale"]),
    )
    return Known(identity, str(told["state"]), bool(told["session"]))
