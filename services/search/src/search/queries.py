"""Searches: relevance times freshness, typos forgiven, what was found marked."""

import html
import re
from typing import Any, Final

from elasticsearch import ApiError, TransportError

from search.domain import Query
from search.index import MARKS, Index, alias, unavailable

_OPEN, _CLOSE = MARKS

_BEST_THEN_NEWEST: Final[list[str | dict[str, str]]] = ["_score", {"post_id": "desc"}]
"""Among equals the order must be one that doesn't change from page to page."""

_BEST_THEN_KNOWN: Final[list[str | dict[str, str]]] = ["_score", {"followers": "desc"}]

_FUZZY: Final[dict[str, Any]] = {"fuzziness": "AUTO", "prefix_length": 1, "max_expansions": 50}


async def posts(index: Index, query: Query, limit: int, offset: int, bounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Ids and versions of posts, best first, with highlights as safe HTML. Raises `Unavailable`.

    `bounds` are Elasticsearch filters that hold beside the query.
    """
    wanted = _wanted(query, bounds)
    marks: dict[str, Any] = {
        "highlight_query": wanted,  # some engines mark nothing within a function_score
        "fields": {"text": {"number_of_fragments": 0}},
        "pre_tags": [_OPEN],
        "post_tags": [_CLOSE],
    }
    try:
        found = await index.elastic.search(
            index=alias("posts"),
            query=_fresh_first(wanted) if query.words or query.phrases else wanted,
            highlight=marks,
            sort=_BEST_THEN_NEWEST,
            size=limit,
            from_=offset,
            source_includes=["version"],
            track_total_hits=1000,
        )
    except (TransportError, ApiError) as error:
        raise unavailable(error) from error
    hits = found["hits"]["hits"]
    return {
        "hits": [{"post_id": hit["_id"], "version": hit["_source"]["version"], "highlight": _highlight(hit)} for hit in hits],
        "total": found["hits"]["total"]["value"],
    }


async def accounts(index: Index, text: str, limit: int, offset: int) -> dict[str, Any]:
    """Ids of people by name or bio, typos forgiven, better known ones first among equals. Raises `Unavailable`."""
    wanted = text.removeprefix("@").split("@", 1)[0]  # everybody is at this server
    query = {
        "bool": {
            "should": [
                {"match": {"username": {"query": wanted, "boost": 8}}},
                {"match": {"username.beginning": {"query": wanted, "boost": 4}}},
                {"match": {"name.beginning": {"query": wanted, "boost": 3}}},
                {"match": {"username": {"query": wanted, **_FUZZY}}},
                {"match": {"name": {"query": wanted, **_FUZZY}}},
                {"match": {"note": {"query": wanted, "boost": 0.3}}},
            ],
            "minimum_should_match": 1,
            "filter": [{"term": {"deleted": False}}],
        }
    }
    hits = await _ids(index, "accounts", query, limit, offset, _BEST_THEN_KNOWN)
    return {"hits": [{"account_id": an_id} for an_id in hits]}


async def hashtags(index: Index, text: str, limit: int, offset: int) -> dict[str, Any]:
    """Hashtags by their beginning, typos forgiven. Raises `Unavailable`."""
    wanted = text.removeprefix("#").lower()
    query = {
        "bool": {
            "should": [
                {"term": {"name.exact": {"value": wanted, "boost": 8}}},
                {"match": {"name.beginning": {"query": wanted, "boost": 3}}},
                {"match": {"name": {"query": wanted, **_FUZZY}}},
            ],
            "minimum_should_match": 1,
        }
    }
    names = await _ids(index, "hashtags", query, limit, offset)
    used = await _in_use(index, names)
    return {"hits": [{"name": name} for name in names if name in used]}


def _wanted(query: Query, bounds: list[dict[str, Any]]) -> dict[str, Any]:
    must: list[dict[str, Any]] = [{"match_phrase": {"text": phrase}} for phrase in query.phrases]
    if query.words:
        tags = re.findall(r"#?(\w+)", query.words.lower())
        must.append(
            {
                "bool": {
                    "should": [
                        {"match_phrase": {"text": {"query": query.words, "slop": 2, "boost": 4}}},
                        {"match": {"text": {"query": query.words, "operator": "and", "boost": 3}}},
                        {"match": {"text": {"query": query.words, "operator": "and", **_FUZZY}}},
                        *([_tagged(tags)] if tags else []),
                    ],
                    "minimum_should_match": 1,
                }
            }
        )
    filters: list[dict[str, Any]] = [{"term": {"deleted": False}}, *bounds]
    if query.author:
        filters.append({"term": {"username": query.author}})
    if query.language:
        filters.append({"term": {"language": query.language}})
    if query.media:
        filters.append({"term": {"media": True}})
    if query.reply is not None:
        filters.append({"term": {"reply": query.reply}})
    if query.before or query.after:
        filters.append({"range": {"created_at": {k: v for k, v in (("lt", query.before), ("gte", query.after)) if v}}})
    return {"bool": {"must": must or [{"match_all": {}}], "filter": filters}}


def _tagged(tags: list[str]) -> dict[str, Any]:
    """Every word is a hashtag of the post."""
    return {"constant_score": {"filter": {"bool": {"filter": [{"term": {"tags": tag}} for tag in tags]}}, "boost": 2}}


def _fresh_first(wanted: dict[str, Any]) -> dict[str, Any]:
    """Relevance times freshness: a post of today counts three times one of long ago."""
    fresh = {"gauss": {"created_at": {"origin": "now", "scale": "30d", "offset": "1d", "decay": 0.5}}, "weight": 1.0}
    return {"function_score": {"query": wanted, "functions": [fresh, {"weight": 0.5}], "score_mode": "sum", "boost_mode": "multiply"}}


async def _in_use(index: Index, names: list[str]) -> set[str]:
    """Those of the hashtags that a public post has now: their documents stay when the last one goes."""
    if not names:
        return set()
    counted = {"uses": {"filters": {"filters": {name: {"term": {"tags": name}} for name in names}}}}
    try:
        found = await index.elastic.search(index=alias("posts"), query={"term": {"deleted": False}}, aggs=counted, size=0)
    except (TransportError, ApiError) as error:
        raise unavailable(error) from error
    return {name for name, bucket in found["aggregations"]["uses"]["buckets"].items() if bucket["doc_count"]}


async def _ids(
    index: Index, kind: str, query: dict[str, Any], limit: int, offset: int, sort: list[str | dict[str, str]] | None = None
) -> list[str]:
    try:
        found = await index.elastic.search(index=alias(kind), query=query, size=limit, from_=offset, source=False, sort=sort)
    except (TransportError, ApiError) as error:
        raise unavailable(error) from error
    return [hit["_id"] for hit in found["hits"]["hits"]]


def _highlight(hit: dict[str, Any]) -> str:
    """The whole text as safe HTML: everything is escaped but our own marks."""
    fragments = hit.get("highlight", {}).get("text", [])
    if not fragments:
        return ""
    return html.escape(fragments[0]).replace(_OPEN, "<em>").replace(_CLOSE, "</em>")
