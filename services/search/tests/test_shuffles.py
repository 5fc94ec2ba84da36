"""Posts and profiles in any order, some several times, end in the documents that each of them once and in order ends in."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common.events import Event, PostState, ProfileState, TagState
from common.testing.shuffling import Telling, in_any_order
from search.confirming import Confirmer
from search.feeding import Feeder
from search.index import Index, alias

pytestmark = pytest.mark.anyio

_ROOM = 100
"""Ids of one telling: every telling has documents of its own in the same indices."""

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_bases = itertools.count(_ROOM, _ROOM)


def story(base: int) -> Sequence[Event]:
    """What is written, edited, hidden and deleted, and by whom."""

    def said(number: int, version: int, words: str = "", *tags: str, **more: Any) -> PostState:
        named = [TagState(name=f"{tag}{base}", display=tag) for tag in tags]
        fields = {"post_id": base + number, "author_id": base, "created_at": _NOW + timedelta(days=number), "plain": words, "tags": named}
        return PostState(version=version, **fields, **more)

    def profile(number: int, version: int, **more: Any) -> ProfileState:
        return ProfileState(account_id=base + number, version=version, username=f"person{number}", created_at=_NOW, **more)

    return (
        said(1, 1, "green tea", "tea"),
        said(1, 2, "black tea", "tea", "black"),
        said(1, 3, "coffee", language="en"),
        said(2, 1, "white tea", "tea"),
        said(2, 2, deleted=True),
        said(3, 1, "my diary"),
        said(3, 2, "my diary", visibility="private"),
        said(4, 1, "cake", "cake"),
        said(5, 1, "more cake", "cake"),
        profile(1, 1, shown=False),
        profile(1, 2, display_name="Ada"),
        profile(1, 3, display_name="Ada L", followers_count=7),
        profile(2, 1, plain_note="compilers"),
        profile(2, 2, discoverable=False),
        profile(3, 4, plain_note="gone soon"),
        profile(3, 5, shown=False, deleted=True),
    )


_ENDS = {
    "posts/1": (3, "coffee"),
    "posts/2": (2, None),
    "posts/3": (2, None),
    "posts/4": (1, "cake"),
    "posts/5": (1, "more cake"),
    "accounts/1": (3, "Ada L"),
    "accounts/2": (2, None),
    "accounts/3": (5, None),
    "hashtags/tea": (2, (_NOW + timedelta(days=2)).isoformat()),
    "hashtags/black": (1, (_NOW + timedelta(days=1)).isoformat()),
    "hashtags/cake": (5, (_NOW + timedelta(days=5)).isoformat()),
}
"""Of each document its version, and what it says if it may be found. Of a hashtag the version is its latest post."""


async def told(index: Index, telling: Telling) -> dict[str, tuple[int, str | None]]:
    """Where a telling ends, in the form of `_ENDS`."""
    base = next(_bases)
    events, feeder = story(base), Feeder(index, "127.0.0.1:1", Confirmer(index))
    for batch in telling:
        await feeder.apply([events[place] for place in batch])
    names = [name.split("/") for name in _ENDS]
    wanted = [{"_index": alias(kind), "_id": f"{an_id}{base}" if kind == "hashtags" else str(base + int(an_id))} for kind, an_id in names]
    found = (await index.elastic.mget(docs=wanted))["docs"]
    return {
        name: (hit["_version"] - base if kind == "hashtags" else hit["_version"], _said(hit["_source"]))
        for (name, hit), (kind, _) in zip(zip(_ENDS, found, strict=True), names, strict=True)
    }


def _said(document: dict[str, Any]) -> str | None:
    if document.get("deleted"):
        assert set(document) <= {"deleted", "version"}  # nothing of its words is kept
        return None
    return str(document.get("text") or document.get("used_at") or document.get("name"))


@in_any_order(len(story(0)))
async def test_any_order_ends_in_the_same(index: Index, telling: Telling) -> None:
    assert await told(index, telling) == _ENDS
