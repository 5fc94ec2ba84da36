"""Hears of revoked tokens and changed accounts, and drops what the gateway remembered of them at once."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from common.events import SecurityEvent
from pydantic import ValidationError

log = logging.getLogger(__name__)

Forget = Callable[[int, list[int] | None], None]
"""Is told of an account, and of which of its tokens (None: all)."""


async def listen(servers: str, forget: Iterable[Forget]) -> None:
    """Read `auth.security` from its end, without a group, so that each replica hears everything; until cancelled."""
    pause = 0.5
    while True:
        consumer = AIOKafkaConsumer(
            SecurityEvent.topic,
            bootstrap_servers=servers.split(","),
            auto_offset_reset="latest",
            enable_auto_commit=False,
            fetch_max_wait_ms=5000,
        )
        try:
            await consumer.start()
            pause = 0.5
            async for record in consumer:
                _apply(record.value, forget)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning(
                "security events are not heard, tokens are asked about again after a minute", extra={"reason": type(error).__name__}
            )
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10.0)
        finally:
            await consumer.stop()


def _apply(value: bytes | None, forget: Iterable[Forget]) -> None:
    try:
        event = SecurityEvent.model_validate_json(value or b"")
    except ValidationError:
        log.error("security event that can't be read")
        return
    if event.kind in ("tokens_revoked", "account_changed"):
        for one in forget:
            one(event.account_id, event.token_ids)
