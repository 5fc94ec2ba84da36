"""The API of `search` on new indices, fed by the events that other services would send."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from common.events import Event, MediaState, PostState, ProfileState, TagState
from common.settings import SharedSettings
from common.testing.identities import TestIdentities
from faststream.kafka import TestKafkaBroker
from search.confirming import Confirmer
from search.feeding import Feeder
from search.index import KINDS, Index, alias, client
from search.main import create_app
from search.worker import create_consumers


@dataclass
class World:
    """What is said, who there is, and what is found of it."""

    client: httpx.AsyncClient
    index: Index
    confirmer: Confirmer
    feeder: Feeder
    identities: TestIdentities
    shared: SharedSettings

    def post(self, post_id: int, words: str = "hello", **more: Any) -> PostState:
        """What somebody said just now; `tags` are names, `days` how long ago."""
        said = datetime.now(UTC) - timedelta(days=more.pop("days", 0))
        tags = [TagState(name=name, display=name) for name in more.pop("tags", ())]
        captions = [
            MediaState(media_id=number, url="x", preview_url="x", description=told, width=1, height=1, preview_width=1, preview_height=1)
            for number, told in enumerate(more.pop("captions", ()))
        ]
        usual = {
            "version": 1,
            "author_id": 1,
            "author_username": "ada",
            "created_at": said,
            "plain": words,
            "tags": tags,
            "media": captions,
        }
        return PostState(**{"post_id": post_id, **usual, **more})

    def profile(self, account_id: int, username: str, **more: Any) -> ProfileState:
        return ProfileState(**{"account_id": account_id, "version": 1, "username": username, "created_at": datetime.now(UTC), **more})

    async def hear(self, *events: Event) -> None:
        """Apply events, and make what they say visible."""
        for event in events:
            await self.feeder.apply([event])
        await self.refresh()

    async def refresh(self) -> None:
        await self.index.elastic.indices.refresh(index=",".join(map(alias, KINDS)))

    async def index_of(self, kind: str) -> str:
        """The name of the index behind an alias."""
        (name,) = await self.index.elastic.indices.get_alias(name=alias(kind))
        return str(name)

    def worker(self, name: str) -> "Worker":
        """The consumers of another worker on the same indices."""
        confirmer = Confirmer(self.index)
        feeder = Feeder(self.index, self.shared.kafka_servers, confirmer)
        return Worker(self.shared.model_copy(update={"replica": name}), feeder)

    async def search(self, what: str, q: str, **params: Any) -> Any:
        """The JSON of an answer that must be a good one."""
        answer = await self.client.get(f"/internal/{what}", params={"q": q, **params}, headers=self.identities.headers("search"))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def posts(self, q: str, **params: Any) -> list[int]:
        """Ids of the posts that are found, best first."""
        return [int(hit["post_id"]) for hit in (await self.search("posts", q, **params))["hits"]]

    async def accounts(self, q: str, **params: Any) -> list[int]:
        return [int(hit["account_id"]) for hit in (await self.search("accounts", q, **params))["hits"]]

    async def hashtags(self, q: str, **params: Any) -> list[str]:
        return [hit["name"] for hit in (await self.search("hashtags", q, **params))["hits"]]

    async def everything(self) -> dict[str, Any]:
        """All documents of all indices, with their versions."""
        await self.refresh()
        found = await self.index.elastic.search(index=",".join(map(alias, KINDS)), query={"match_all": {}}, size=1000, version=True)
        return {f"{hit['_index'].split('-')[1]}/{hit['_id']}": (hit["_version"], hit["_source"]) for hit in found["hits"]["hits"]}


@dataclass
class Worker:
    """Consumers that hear what is published, as Kafka would give it to them."""

    shared: SharedSettings
    feeder: Feeder

    async def consume(self, *events: Event) -> None:
        async with TestKafkaBroker(create_consumers(self.shared, self.feeder).broker) as broker:
            for event in events:
                await broker.publish(event.model_dump_json().encode(), event.topic, headers={"ce_dataschema": event.data_schema()})


@pytest.fixture
async def index(elasticsearch_url: str) -> AsyncIterator[Index]:
    """Empty indices."""
    elastic = client(elasticsearch_url, None)
    made = Index(elastic)
    await made.clear()
    yield made
    await elastic.close()


@pytest.fixture
async def world(
    index: Index, elasticsearch_url: str, identities: TestIdentities, shared_settings: SharedSettings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setenv("MICROBLOG_IDENTITY_KEYS", identities.jwks)
    monkeypatch.setenv("SEARCH_ELASTICSEARCH_URL", elasticsearch_url)
    app = create_app()
    confirmer = Confirmer(index)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        api = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://search"))
        yield World(api, index, confirmer, Feeder(index, shared_settings.kafka_servers, confirmer), identities, shared_settings)
