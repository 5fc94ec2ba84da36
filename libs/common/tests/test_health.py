"""Alive is one thing, able to work another."""

import httpx
import pytest
from common.health import Health
from starlette.applications import Starlette

pytestmark = pytest.mark.anyio


async def test_it_is_ready_when_every_check_is_content_and_says_why_when_not() -> None:
    reasons: dict[str, str | None] = {"database": None, "kafka": None}
    health = Health("posts api")

    async def database() -> str | None:
        return reasons["database"]

    async def kafka() -> str | None:
        return reasons["kafka"]

    health.add(database)
    health.add(kafka)
    transport = httpx.ASGITransport(Starlette(routes=health.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://posts") as client:
        ready = await client.get("/health/self")
        assert (ready.status_code, ready.json()) == (200, {"name": "posts api", "ready": True, "reasons": []})
        reasons.update(database="database: PoolTimeout", kafka="relay: starting")
        not_ready = await client.get("/health/self")
        assert (not_ready.status_code, not_ready.json()["ready"]) == (503, False)
        assert not_ready.json()["reasons"] == ["database: PoolTimeout", "relay: starting"]
        assert (await client.get("/health/live")).status_code == 200
