"""What each service can do for its operator: tell its states again, fill its read models anew, digest a dead letter."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import auth.republishing
import notify.rebuilding
import notify.worker
import posts.rebuilding
import posts.republishing
import posts.worker
import search.rebuilding
import search.worker
import social.rebuilding
import social.republishing
import social.worker
import translate.rebuilding
import translate.worker
from common import outbox
from common.db import Database
from common.kafka import Consumers
from common.replaying import Progress
from common.settings import SharedSettings
from search.confirming import Confirmer
from search.feeding import Feeder
from search.index import Index, client

from microblog_operator.settings import MissingSetting, Settings


def republish(settings: Settings, service: str, database: Database) -> AsyncIterator[int]:
    """Put a service's states into its outbox again; yields how many, batch by batch."""
    match service:
        case "auth":
            return auth.republishing.republish(database)
        case "posts":
            return posts.republishing.republish(database, settings.public_url)
        case _:
            return social.republishing.republish(database)


async def tell_again(settings: Settings, service: str, told: Callable[[int], object], *, journal: bool) -> tuple[int, int]:
    """Put a service's states into its outbox again, and the triggers that are kept if wanted; how many of each."""
    async with _database(settings, service) as database:
        states = triggers = 0
        async for count in republish(settings, service, database):
            told(count)
            states += count
        if journal:
            async with database.transaction() as session:
                triggers = await outbox.publish_journal_again(session)
        return states, triggers


async def rebuild(settings: Settings, service: str, progress: Progress, *, force: bool) -> dict[str, int]:
    """Fill a service's read models anew; how many rows differed by table, or, for `search`, how many documents there are now."""
    servers = settings.kafka_servers
    if service == "search":
        async with _index(settings) as index:
            return await search.rebuilding.rebuild(index, servers, progress=progress)
    async with _database(settings, service) as database:
        match service:
            case "social":
                return await social.rebuilding.rebuild(database, servers, settings.public_url, force=force, progress=progress)
            case "posts":
                return await posts.rebuilding.rebuild(database, servers, force=force, progress=progress)
            case "notify":
                return await notify.rebuilding.rebuild(database, servers, force=force, progress=progress)
            case _:
                return await translate.rebuilding.rebuild(database, servers, force=force, progress=progress)


@asynccontextmanager
async def consumers(settings: Settings, service: str) -> AsyncIterator[Consumers]:
    """The consumers of a service, to digest dead letters with; nothing is subscribed."""
    shared = SharedSettings(
        public_url=settings.public_url, kafka_servers=settings.kafka_servers, identity_keys='{"keys": []}', replica="operator"
    )
    if service == "search":
        async with _index(settings) as index:
            yield search.worker.create_consumers(shared, Feeder(index, settings.kafka_servers, Confirmer(index)))
        return
    makers = {
        "posts": posts.worker.create_consumers,
        "social": social.worker.create_consumers,
        "notify": notify.worker.create_consumers,
        "translate": translate.worker.create_consumers,
    }
    async with _database(settings, service) as database:
        yield makers[service](shared, database)


@asynccontextmanager
async def _database(settings: Settings, service: str) -> AsyncIterator[Database]:
    database = settings.database(service)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _index(settings: Settings) -> AsyncIterator[Index]:
    if settings.elasticsearch_url is None:
        raise MissingSetting("SEARCH_ELASTICSEARCH_URL")
    key = settings.elasticsearch_api_key.get_secret_value() if settings.elasticsearch_api_key else None
    index = Index(client(settings.elasticsearch_url, key))
    try:
        yield index
    finally:
        await index.elastic.close()
