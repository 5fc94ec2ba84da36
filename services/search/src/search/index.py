"""The indices: what is in them, how they are made, written and replaced. Only this module and `queries` speak to Elasticsearch.

Documents are whole and carry the version of what they show as their external version, so that late events change nothing. A deleted thing stays
as a document with `deleted`, since a real deletion is forgotten after a minute and an older event could bring the thing back.
"""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from common.errors import Transient, Unavailable
from elasticsearch import ApiError, AsyncElasticsearch, BadRequestError, NotFoundError, TransportError

log = logging.getLogger(__name__)

_SHOWN_EVERY: Final = 0.5

SCHEMA: Final = 3
"""Part of all names: raise it when a mapping or the analysis changes, and the worker fills new indices from the topics.

Processes of the version before go on with theirs meanwhile, and after a step back, too: they are deleted a day later.
"""

_KEPT: Final = 24 * 3600.0
_EARLIER: Final = re.compile(r"microblog-[a-z]+-v?(\d+)(?:-.*)?")

_TEXT: Final[dict[str, Any]] = {"type": "text", "analyzer": "words"}
_ANALYSIS: Final[dict[str, Any]] = {
    "filter": {"beginnings": {"type": "edge_ngram", "min_gram": 1, "max_gram": 20}},
    "analyzer": {
        "words": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "asciifolding"]},
        "beginning": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "asciifolding", "beginnings"]},
    },
}
_BEGINNING: Final[dict[str, Any]] = {"type": "text", "analyzer": "beginning", "search_analyzer": "words"}

_MAPPINGS: Final[dict[str, dict[str, Any]]] = {
    "posts": {
        "text": {"type": "text", "index": False},
        "words": {"type": "keyword"},
        "pairs": {"type": "keyword"},
        "stems": {"type": "keyword"},
        "length": {"type": "integer"},
        "post_id": {"type": "long"},
        "author_id": {"type": "keyword"},
        "username": {"type": "keyword"},
        "tags": {"type": "keyword"},
        "language": {"type": "keyword"},
        "created_at": {"type": "date"},
        "reply": {"type": "boolean"},
        "media": {"type": "boolean"},
        "poll": {"type": "boolean"},
        "link": {"type": "boolean"},
        "version": {"type": "long"},
        "deleted": {"type": "boolean"},
    },
    "accounts": {
        "username": {"type": "text", "analyzer": "words", "fields": {"beginning": _BEGINNING}},
        "name": {"type": "text", "analyzer": "words", "fields": {"beginning": _BEGINNING}},
        "note": _TEXT,
        "followers": {"type": "long"},
        "deleted": {"type": "boolean"},
    },
    "hashtags": {
        "name": {"type": "text", "analyzer": "words", "fields": {"beginning": _BEGINNING, "exact": {"type": "keyword"}}},
        "used_at": {"type": "date"},
    },
    "progress": {
        "offset": {"type": "long"},
        "generation": {"type": "keyword"},
    },
}
KINDS: Final = tuple(_MAPPINGS)


@dataclass(frozen=True, slots=True)
class Document:
    """What is written: its index, its id, the version of what it shows, its fields."""

    kind: str
    id: str
    version: int
    fields: Mapping[str, Any]


def alias(kind: str) -> str:
    """The name under which an index is read and written."""
    return f"microblog-{kind}-{SCHEMA}"


def client(url: str, api_key: str | None) -> AsyncElasticsearch:
    """A client that gives up soon: people wait for searches, and events wait by themselves."""
    return AsyncElasticsearch(url, api_key=api_key, request_timeout=2, max_retries=0, retry_on_timeout=False)


class Refused(Exception):
    """Elasticsearch doesn't take a document as it is: trying again can't help."""


class Index:
    """All indices of the stack."""

    def __init__(self, elastic: AsyncElasticsearch, replicas: int = 0) -> None:
        self.elastic = elastic
        self.generation = ""
        """Which indices these are, as `prepare` saw it last: another once any of them had to be made anew, the same after a rebuild."""
        self._replicas = replicas
        self._unseen: set[str] = set()

    async def prepare(self) -> bool:
        """Make what is missing; True when anything was, so that it has to be filled. Raises `Transient` while the server is away."""
        made = False
        try:
            for kind in KINDS:
                if not await self.elastic.indices.exists_alias(name=alias(kind)):
                    if await self.elastic.indices.exists(index=alias(kind)):  # made by a write, where engines don't mind `require_alias`
                        await self.elastic.indices.delete(index=alias(kind))
                    await self._create(kind)
                    made = True
            self.generation = "+".join((await self._made()).values())
        except (TransportError, ApiError) as error:
            raise Transient(f"Elasticsearch: {type(error).__name__}") from error
        return made

    async def clear(self) -> None:
        """Begin anew: empty indices behind the same names."""
        for kind in KINDS:
            known = await self.elastic.indices.exists_alias(name=alias(kind))
            for name in await self.elastic.indices.get_alias(name=alias(kind)) if known else ():
                await self.elastic.indices.delete(index=name)
        await self.prepare()

    async def sweep(self) -> list[str]:
        """Delete indices of earlier schemas once these are a day old; return what is gone. Raises `Transient`."""
        try:
            if min(int(made.split(".")[0]) for made in (await self._made()).values()) > time.time() - _KEPT:
                return []
            known = await self.elastic.indices.get_alias(name="microblog-*")
            old = [name for name in known if (found := _EARLIER.fullmatch(name)) and int(found[1]) < SCHEMA]
            if old:
                await self.elastic.indices.delete(index=",".join(old))
        except (TransportError, ApiError) as error:
            raise Transient(f"Elasticsearch: {type(error).__name__}") from error
        return old

    async def put(self, documents: Sequence[Document], into: Mapping[str, str] | None = None) -> None:
        """Write documents in one request, each unless a newer version is there; into other indices of their kinds if `into` names some.

        Raises `Transient` while the server is away or busy (then some may have been written), `Refused` for what it will never take
        (then all the others were written).
        """
        if not documents:
            return
        operations: list[Mapping[str, Any]] = []
        for document in documents:
            index = into[document.kind] if into and document.kind in into else alias(document.kind)
            to = {"_index": index, "_id": document.id, "version": document.version, "version_type": "external_gte"}
            operations += [{"index": to}, document.fields]
        try:
            answer = await self.elastic.bulk(operations=operations, require_alias=not into)
        except (TransportError, ApiError) as error:
            raise Transient(f"Elasticsearch: {type(error).__name__}") from error
        if answer["errors"]:
            _check([item["index"] for item in answer["items"]])
        if not into:
            self._unseen |= {alias(document.kind) for document in documents}

    async def begin_anew(self, kinds: Sequence[str]) -> dict[str, str]:
        """Make an empty index of each kind beside the one in use; return their names by kind. Raises `Transient`."""
        made: dict[str, str] = {}
        try:
            generations = await self._made()
            for kind in kinds:
                made[kind] = f"{alias(kind)}-{_token()}"
                await self._create_index(kind, made[kind], generations[kind])
        except (TransportError, ApiError) as error:
            raise Transient(f"Elasticsearch: {type(error).__name__}") from error
        return made

    async def take_over(self, fresh: Mapping[str, str]) -> None:
        """Let the names mean these indices from now on, in one step, and delete the ones that they meant before. Raises `Transient`."""
        try:
            await self.elastic.indices.refresh(index=",".join(fresh.values()))  # or searches find nothing in them at first
            old = [name for kind in fresh for name in await self.elastic.indices.get_alias(name=alias(kind))]
            removed = [{"remove": {"index": name, "alias": "*"}} for name in old]
            await self.elastic.indices.update_aliases(
                actions=[*removed, *({"add": {"index": n, "alias": alias(k)}} for k, n in fresh.items())]
            )
            await self.elastic.indices.delete(index=",".join(old))
        except (TransportError, ApiError) as error:
            raise Transient(f"Elasticsearch: {type(error).__name__}") from error

    async def forget(self, fresh: Mapping[str, str]) -> None:
        """Delete indices that were begun and are not used."""
        with suppress(TransportError, ApiError):
            used = {name for kind in fresh for name in await self.elastic.indices.get_alias(name=alias(kind))}
            unused = [name for name in fresh.values() if name not in used]
            if unused:
                await self.elastic.indices.delete(index=",".join(unused), ignore_unavailable=True)

    async def sizes(self, kinds: Sequence[str]) -> dict[str, int]:
        """How many documents there are. Raises `Transient`."""
        try:
            await self.elastic.indices.refresh(index=",".join(alias(kind) for kind in kinds))
            return {kind: int((await self.elastic.count(index=alias(kind)))["count"]) for kind in kinds}
        except (TransportError, ApiError) as error:
            raise Transient(f"Elasticsearch: {type(error).__name__}") from error

    async def missing(self, documents: Sequence[Document]) -> list[Document]:
        """Those of the documents that are not there, or only in an older version. Raises `Transient`."""
        if not documents:
            return []
        try:
            found = await self.elastic.mget(docs=[{"_index": alias(d.kind), "_id": d.id} for d in documents], source=False)
        except (TransportError, ApiError) as error:
            raise Transient(f"Elasticsearch: {type(error).__name__}") from error
        return [d for d, told in zip(documents, found["docs"], strict=True) if not told.get("found") or told["_version"] < d.version]

    async def reached(self) -> dict[str, int] | None:
        """Up to which offset the indices of this generation were fed, by `topic/partition`; None when that was lost."""
        try:
            await self.elastic.indices.refresh(index=alias("progress"))  # a search sees what was written before the last refresh
            found = await self.elastic.search(index=alias("progress"), query={"term": {"generation": self.generation}}, size=1000)
        except NotFoundError:
            return None
        except (TransportError, ApiError) as error:
            raise Transient(f"Elasticsearch: {type(error).__name__}") from error
        return {hit["_id"]: hit["_source"]["offset"] for hit in found["hits"]["hits"]}

    async def remember(self, place: str, offset: int) -> None:
        """Note that a partition was fed up to an offset; it may go back, when the broker lost its data."""
        told = {"offset": offset, "generation": self.generation}
        try:
            await self.elastic.index(index=alias("progress"), id=place, document=told, require_alias=True)
        except (TransportError, ApiError) as error:
            raise Transient(f"Elasticsearch: {type(error).__name__}") from error

    async def show(self) -> None:
        """Make what was written visible to searches, twice a second.

        Engines do that by themselves, but the embedded one only when somebody searches, who then doesn't see it yet.
        """
        while True:
            await asyncio.sleep(_SHOWN_EVERY)
            if self._unseen:
                written, self._unseen = self._unseen, set()
                try:
                    await self.elastic.indices.refresh(index=",".join(written))
                except (TransportError, ApiError):
                    self._unseen |= written

    async def problem(self) -> str | None:
        """A health check."""
        try:
            await self.elastic.info()
        except (TransportError, ApiError) as error:
            return f"elasticsearch: {type(error).__name__}"
        return None

    async def _create(self, kind: str) -> None:
        name = f"{alias(kind)}-first"  # the same for whoever else finds it missing
        try:
            await self._create_index(kind, name, _token())
        except BadRequestError as error:
            if error.error != "resource_already_exists_exception":
                raise
        await self.elastic.indices.update_aliases(actions=[{"add": {"index": name, "alias": alias(kind)}}])

    async def _create_index(self, kind: str, name: str, made: str) -> None:
        mappings = {"dynamic": "strict", "properties": _MAPPINGS[kind], "_meta": {"made": made}}
        await self.elastic.indices.create(index=name, settings=self._settings(), mappings=mappings)

    async def _made(self) -> dict[str, str]:
        """When each index was first made, and a token that tells it from another of the same second, by kind."""
        found = await self.elastic.indices.get_mapping(index=",".join(alias(kind) for kind in KINDS))
        made = {name.removeprefix("microblog-").split("-")[0]: told["mappings"]["_meta"]["made"] for name, told in found.items()}
        return {kind: made[kind] for kind in KINDS}

    def _settings(self) -> dict[str, Any]:
        return {"number_of_shards": 1, "number_of_replicas": self._replicas, "analysis": _ANALYSIS, "refresh_interval": "1s"}


def _check(items: Sequence[Mapping[str, Any]]) -> None:
    """Raise what is wrong with the documents of a request, if anything is: that a newer version is there, isn't."""
    wrong = [item for item in items if item["status"] >= 300 and item["status"] != 409]
    for item in wrong:
        if item["status"] in (403, 404, 429) or item["status"] >= 500:
            raise Transient(f"Elasticsearch answers {item['status']}")
    if wrong:
        raise Refused(f"{wrong[0]['_index']}/{wrong[0]['_id']}: {wrong[0].get('error', {}).get('type', wrong[0]['status'])}")


def _token() -> str:
    return f"{int(time.time())}.{secrets.token_hex(4)}"


def unavailable(error: Exception) -> Unavailable:
    """What a search says while Elasticsearch is away."""
    log.warning("search is away", extra={"reason": type(error).__name__})
    return Unavailable("Search is temporarily unavailable")
