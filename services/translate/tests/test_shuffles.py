"""Posts in any order, some versions several times and read in between, end in what each of them once and in order ends in."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from common.db import Database
from common.events import MediaState, PollState, PostState
from common.testing.shuffling import Telling, in_any_order
from sqlalchemy import text
from translate.domain import text_hash
from translate.projections import apply_posts

pytestmark = pytest.mark.anyio

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def said(post_id: int, version: int, words: str = "", **more: Any) -> PostState:
    fields = {"author_id": 1, "created_at": _NOW, "html": words, "language": "en"}
    return PostState(**{"post_id": post_id, "version": version, **fields, **more})


def asked(*options: str) -> PollState:
    return PollState(options=list(options), expires_at=_NOW)


def picture(description: str) -> list[MediaState]:
    sizes = {"width": 1, "height": 1, "preview_width": 1, "preview_height": 1}
    return [MediaState(media_id=9, url="x", preview_url="x", description=description, **sizes)]


STORY: Sequence[PostState] = (
    said(1, 1, "<p>hello</p>"),
    said(1, 2, "<p>good day</p>", spoiler="politeness"),
    said(1, 3, "<p>hello</p>", spoiler="politeness"),
    said(2, 1, "<p>good day</p>"),  # the same words as another post's, which outlive either
    said(2, 2, deleted=True, language=None),
    said(3, 1, "<p>hello</p>", media=picture("a cat"), poll=asked("tea", "coffee")),
    said(3, 2, "<p>hello</p>", media=picture("a dog"), poll=asked("tea", "cake")),
    said(4, 1, "<p>for everybody</p>"),
    said(4, 2, "<p>for some</p>", visibility="private"),
    said(5, 1, "<p>unlisted</p>", visibility="unlisted"),
    said(5, 2, "<p>unlisted</p>", visibility="unlisted", language="de"),
    said(6, 1, "<p>of somebody whom nobody translates</p>", author_id=2),
    said(7, 4, "<p>never seen before</p>"),
)

_WORDS = {
    1: ["<p>hello</p>", "politeness"],
    3: ["<p>hello</p>", "a dog", "tea", "cake"],
    5: ["<p>unlisted</p>"],
    6: ["<p>of somebody whom nobody translates</p>"],
    7: ["<p>never seen before</p>"],
}
"""Of each post that can be read at the end, what is translated."""

# Somebody has all of it translated that can be read now, as `commands` keeps it.
_READ = text("""
    WITH words AS (
        SELECT post_id, sha256(convert_to(part, 'UTF8')) AS hash, part FROM sources,
            unnest(ARRAY[html, spoiler] || options || ARRAY(SELECT value FROM jsonb_each_text(descriptions))) AS part
        WHERE NOT gone AND NOT private AND part <> ''
    ), kept AS (
        INSERT INTO translations (text_hash, source, target, provider, translated)
        SELECT DISTINCT hash, 'en', 'de', 'microsoft', '[de] ' || part FROM words ON CONFLICT DO NOTHING
    )
    INSERT INTO uses (post_id, text_hash) SELECT DISTINCT post_id, hash FROM words ON CONFLICT DO NOTHING
""")


async def told(database: Database, telling: Telling) -> Mapping[str, list[tuple[Any, ...]]]:
    """What is kept of posts, for which of their words there are translations, and what is to be translated; nothing of it stays."""
    async with database.sessions() as session:
        await session.execute(text("INSERT INTO wishes (author_id, language) VALUES (1, 'de'), (1, 'fr')"))
        for batch in telling:
            await apply_posts(session, [STORY[place] for place in batch])
            await session.execute(_READ)
        statements = {
            "sources": "SELECT post_id, version, language, html, spoiler, descriptions, options, gone, private FROM sources ORDER BY 1",
            "uses": "SELECT post_id, text_hash FROM uses",
            "translations": "SELECT text_hash FROM translations",
            # One into the language that a post was given later is dropped when its turn comes.
            "jobs": "SELECT post_id, target FROM jobs JOIN sources USING (post_id) WHERE target <> language ORDER BY 1, 2",
        }
        return {name: [tuple(row) for row in await session.execute(text(statement))] for name, statement in statements.items()}


@pytest.fixture
async def in_order(database: Database) -> Mapping[str, list[tuple[Any, ...]]]:
    return await told(database, [[place] for place in range(len(STORY))])


@in_any_order(len(STORY))
async def test_any_order_ends_in_the_same(database: Database, in_order: Mapping[str, list[tuple[Any, ...]]], telling: Telling) -> None:
    end = await told(database, telling)
    assert (end["sources"], end["jobs"]) == (in_order["sources"], in_order["jobs"])
    assert sorted(end["uses"]) == sorted((post_id, text_hash(part)) for post_id, words in _WORDS.items() for part in words)
    assert {an_hash for (an_hash,) in end["translations"]} == {text_hash(part) for words in _WORDS.values() for part in words}


async def test_in_order_what_readers_wish_is_planned_for_all_that_can_be_read(in_order: Mapping[str, list[tuple[Any, ...]]]) -> None:
    assert in_order["jobs"] == [*((post_id, target) for post_id in (1, 3) for target in ("de", "fr")), (5, "fr"), (7, "de"), (7, "fr")]
