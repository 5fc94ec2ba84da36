"""A process that does a little of everything that is measured, and tells a collector of it until its standard input ends.

It runs processes of the stack as they are, beside a broker and services that aren't there; each is told its settings by the environment.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import httpx
from common import db, kafka
from common.events import PostState
from common.settings import SharedSettings, load
from common.watchdog import Watchdog
from common.worker import measure
from faststream.kafka import TestKafkaBroker
from gateway.main import create_app as create_gateway
from notify.worker import create_worker as create_notify
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from posts.worker import create_worker as create_posts
from starlette.types import ASGIApp, Message
from translate import worker as translate
from translate.settings import Settings as TranslateSettings

POST = PostState(post_id=1, version=1, author_id=1, created_at=datetime.now(UTC), html="<p>hello</p>", language="en")


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[ASGIApp]:
    """The application between its beginning and its end, as a server has it."""
    told: asyncio.Queue[Message] = asyncio.Queue()
    said: asyncio.Queue[Message] = asyncio.Queue()
    living = asyncio.ensure_future(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, told.get, said.put))
    await told.put({"type": "lifespan.startup"})
    assert (await said.get())["type"] == "lifespan.startup.complete"
    yield app
    await told.put({"type": "lifespan.shutdown"})
    await living


async def ask(app: ASGIApp) -> None:
    """A page, calls of the API, a body for which there is no room, and more deletions than anybody may ask for."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://localhost") as client:
        for path in ("/login", "/api/v1/statuses/1", "/health/live"):
            await client.get(path)
        await client.post("/api/v1/statuses", content=b" " * 20_000)
        await client.post("/login", content=b" " * 20_000)
        for _ in range(31):
            await client.delete("/api/v1/statuses/1")


async def digest(consumers: kafka.Consumers) -> None:
    """A record that can be handled, as the broker gives it."""
    async with TestKafkaBroker(consumers.broker) as broker:
        headers = {"ce_dataschema": POST.data_schema(), "ce_time": POST.created_at.isoformat()}
        await broker.publish(POST.model_dump_json().encode(), POST.topic, headers=headers)


async def main() -> None:
    async with AsyncExitStack() as stack:
        for app in (create_posts(), create_notify(), translate.create_worker()):
            await stack.enter_async_context(running(app))
        await ask(await stack.enter_async_context(running(create_gateway())))
        database = db.Database(load(TranslateSettings).database_url.get_secret_value())
        await database.open()
        stack.push_async_callback(database.close)
        consumers = translate.create_consumers(load(SharedSettings), database)
        await digest(consumers)
        watchdog = Watchdog(consumers)
        watchdog.lag[POST.topic] = 7
        measure("translate", watchdog, None)
        end = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        provider = metrics.get_meter_provider()
        assert isinstance(provider, MeterProvider)
        while not end.done():
            await asyncio.to_thread(provider.force_flush)
            await asyncio.sleep(0.2)


if __name__ == "__main__":
    asyncio.run(main())
