"""Searches: relevance times freshness, typos forgiven, what was found marked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from elasticsearch import ApiError, TransportError

from search.analysis import grams
from search.domain import Query
from search.facets import Chosen, counted, counting
from search.index import Index, alias, unavailable
from search.marking import Asked, asked, asked_exactly, mark

_MOST_WORDS: Final = 24
"""Words of a query that count."""
_MOST_ALIKE: Final = 5

_NEWEST: Final[list[str | dict[str, str]]] = [{"post_id": "desc"}]

_BEST_THEN_NEWEST: Final[list[str | dict[str, str]]] = ["_score", {"post_id": "desc"}]
"""Among equals the order must be one that doesn't change from page to page."""

_BEST_THEN_KNOWN: Final[list[str | dict[str, str]]] = ["_score", {"followers": "desc"}]

_FUZZY: Final[dict[str, Any]] = {"fuzziness": "AUTO", "prefix_length": 1, "max_expansions": 50}


@dataclass(frozen=True, slots=True)
class Page:
    """Which of the results, in which order, and whether it is told how many there are by facet."""

    limit: int = 20
    offset: int = 0
    newest: bool = False
    exactly: bool = False
    """Forgive no typos."""
    facets: bool = False


async def posts(index: Index, query: Query, chosen: Chosen, page: Page, bounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Ids and versions of posts with highlights as safe HTML, and the words in them that are only spelled like what was asked. Raises `Unavailable`.

    `bounds` are Elasticsearch filters that hold beside the query.
    """
    words = asked(query.words, query.language, typos=not page.exactly)[:_MOST_WORDS]
    phrases = [asked_exactly(phrase) for phrase in query.phrases]
    looked_for = [*words, *(word for phrase in phrases for word in phrase)]
    if not looked_for and replace(query, words="", phrases=()).empty:
        return {"hits": [], "total": 0, "alike": []}  # nothing but signs
    wanted = _wanted(query, words, phrases, bounds)
    try:
        found = await index.elastic.search(
            index=alias("posts"),
            query=_fresh_first(wanted) if looked_for else wanted,
            post_filter={"bool": {"filter": chosen.filters()}},
            aggs=counting(chosen) if page.facets else None,
            sort=_NEWEST if page.newest else _BEST_THEN_NEWEST,
            size=page.limit,
            from_=page.offset,
            source_includes=["version", "text", "language"],
            track_total_hits=1000,
        )
    except (TransportError, ApiError) as error:
        raise unavailable(error) from error
    hits = found["hits"]["hits"]
    marked = [mark(hit["_source"]["text"], looked_for, hit["_source"].get("language")) for hit in hits]
    return {
        "hits": [
            {"post_id": hit["_id"], "version": hit["_source"]["version"], "highlight": told.html if looked_for else ""}
            for hit, told in zip(hits, marked, strict=True)
        ],
        "total": found["hits"]["total"]["value"],
        "alike": sorted({word for told in marked for word in told.alike})[:_MOST_ALIKE],
    } | ({"facets": counted(found["aggregations"], chosen)} if page.facets else {})


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


def _wanted(query: Query, words: Sequence[Asked], phrases: Sequence[Sequence[Asked]], bounds: list[dict[str, Any]]) -> dict[str, Any]:
    needed = [word for word in words if not word.token.common] or words
    must = [_word(word) for word in needed]
    should = [_scored({"term": {"words": word.token.folded}}, 0.5) for word in words if word not in needed]
    should += [_scored({"term": {"pairs": pair}}, 3) for pair in _pairs(words)]
    filters: list[dict[str, Any]] = [{"term": {"deleted": False}}, *bounds]
    if query.author:
        filters.append({"term": {"username": query.author}})
    if query.language:
        filters.append({"term": {"language": query.language}})
    filters += [{"term": {what: True}} for what in sorted(query.has)]
    if query.reply is not None:
        filters.append({"term": {"reply": query.reply}})
    if query.before or query.after:
        filters.append({"range": {"created_at": {k: v for k, v in (("lt", query.before), ("gte", query.after)) if v}}})
    for phrase in phrases:
        filters += [{"term": {"words": part}} for word in phrase for part in _parts(word)]
        filters += [{"term": {"pairs": pair}} for pair in _pairs(phrase)]
    return {"bool": {"must": must or [{"match_all": {}}], "should": should, "filter": filters}}


def _word(word: Asked) -> dict[str, Any]:
    """The word itself before other forms of it, and those before what is spelled alike."""
    if word.token.unspaced:
        return _scored({"bool": {"filter": [{"term": {"words": part}} for part in _parts(word)]}}, 5)
    ways = [_scored({"term": {"words": word.token.folded}}, 4)]
    if word.stems:
        ways.append(_scored({"terms": {"stems": sorted(word.stems)}}, 2))
    if word.typos:
        fuzzy = {"value": word.token.folded, **_FUZZY, "fuzziness": word.typos}
        ways.append(_scored({"fuzzy": {"words": fuzzy}}, 1))
    return {"bool": {"should": ways, "minimum_should_match": 1}}


def _parts(word: Asked) -> list[str]:
    return grams(word.token.folded) if word.token.unspaced else [word.token.folded]


def _pairs(words: Sequence[Asked]) -> list[str]:
    neighbours = pairwise(word.token for word in words)
    return [f"{one.folded} {other.folded}" for one, other in neighbours if not (one.unspaced or other.unspaced)]


def _scored(query: dict[str, Any], score: float) -> dict[str, Any]:
    """What counts the same wherever it is found: every word has to be there, so that how rare it is doesn't tell posts apart."""
    return {"constant_score": {"filter": query, "boost": score}}


def _fresh_first(wanted: dict[str, Any]) -> dict[str, Any]:
    """Relevance times freshness: a post of today counts three times one of long ago, a short one somewhat more than a long one."""
    fresh = {"gauss": {"created_at": {"origin": "now", "scale": "30d", "offset": "1d", "decay": 0.5}}, "weight": 1.0}
    short = {"gauss": {"length": {"origin": 0, "scale": 30, "decay": 0.5}}, "weight": 0.2}
    functions = [fresh, short, {"weight": 0.5}]
    return {"function_score": {"query": wanted, "functions": functions, "score_mode": "sum", "boost_mode": "multiply"}}


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
