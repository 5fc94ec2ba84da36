"""What goes into a feed, or out of it, when its owner comes back or changes whom and what they follow."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from social.feeds.pulling import PULLED
from social.feeds.rules import ANSWERS_FOLLOWED, BY_FOLLOW, BY_TAG, FOR_TAG, OF_BOOST
from social.feeds.upkeep import KEPT

_EACH: Final = 100
"""Posts that are looked at of each person followed: a feed of many needs few of each, one of few has few."""
_EACH_NEW: Final = 40
"""The same for somebody who is followed only now."""

# The rules of `feeds.fanout`, for one owner and those of `people` whom they follow now; for everybody when it is NULL.
_ADD_POSTS = text(f"""
    INSERT INTO feed_entries (owner_id, entry_id, post_id)
    SELECT CAST(:owner AS bigint), x.post_id, x.post_id
    FROM (
        (SELECT s.post_id FROM snapshots s
         WHERE CAST(:people AS bigint[]) IS NULL AND s.author_id = :owner AND NOT s.deleted
         ORDER BY s.post_id DESC LIMIT :each)
        UNION ALL
        (SELECT z.post_id FROM follows f CROSS JOIN LATERAL (
             SELECT s.post_id FROM snapshots s
             WHERE s.author_id = f.followed_id AND NOT s.deleted AND {BY_FOLLOW.format(language="s.language")}
               AND CASE WHEN s.visibility = 'direct'
                   THEN EXISTS (SELECT FROM mentions m WHERE m.post_id = s.post_id AND m.account_id = :owner)
                   ELSE {ANSWERS_FOLLOWED.format(owner=":owner")} END
             ORDER BY s.post_id DESC LIMIT :each
         ) z
         WHERE f.follower_id = :owner AND (CAST(:people AS bigint[]) IS NULL OR f.followed_id = ANY(CAST(:people AS bigint[])))
           AND NOT f.aside AND NOT {PULLED.format(author="f.followed_id")})
    ) x ORDER BY x.post_id DESC LIMIT :kept
    ON CONFLICT DO NOTHING
""")
_ADD_BOOSTS = text(f"""
    INSERT INTO feed_entries (owner_id, entry_id, post_id, booster_id)
    SELECT CAST(:owner AS bigint), x.id, x.post_id, x.account_id
    FROM (
        (SELECT o.id, o.post_id, o.account_id FROM boosts o
         WHERE CAST(:people AS bigint[]) IS NULL AND o.account_id = :owner ORDER BY o.id DESC LIMIT :each)
        UNION ALL
        (SELECT DISTINCT ON (b.post_id) b.id, b.post_id, b.account_id
         FROM follows f CROSS JOIN LATERAL (
             SELECT o.id, o.post_id, o.account_id FROM boosts o WHERE o.account_id = f.followed_id AND {BY_FOLLOW.format(language=OF_BOOST)}
             ORDER BY o.id DESC LIMIT :each
         ) b
         WHERE f.follower_id = :owner AND (CAST(:people AS bigint[]) IS NULL OR f.followed_id = ANY(CAST(:people AS bigint[])))
           AND f.reblogs AND NOT f.aside AND NOT {PULLED.format(author="f.followed_id")}
           AND NOT EXISTS (SELECT FROM feed_entries e WHERE e.owner_id = :owner AND e.post_id = b.post_id)
         ORDER BY b.post_id, b.id)
    ) x ORDER BY x.id DESC LIMIT :kept
    ON CONFLICT DO NOTHING
""")
_IS_MISSING: Final = "NOT EXISTS (SELECT FROM feed_entries e WHERE e.owner_id = :owner AND e.post_id = x.post_id)"
_ADD_TAGGED = text(f"""
    INSERT INTO feed_entries (owner_id, entry_id, post_id)
    SELECT DISTINCT CAST(:owner AS bigint), x.post_id, x.post_id
    FROM followed_tags t CROSS JOIN LATERAL (
        SELECT s.post_id FROM hashtags h JOIN snapshots s ON s.post_id = h.post_id
        WHERE h.name = t.name AND {FOR_TAG.format(owner=":owner")}
        ORDER BY h.post_id DESC LIMIT :each
    ) x WHERE t.account_id = :owner AND (CAST(:tag AS text) IS NULL OR t.name = :tag) AND {_IS_MISSING}
    ORDER BY x.post_id DESC LIMIT :kept
    ON CONFLICT DO NOTHING
""")
_ADD_TAGGED_OF = text(f"""
    INSERT INTO feed_entries (owner_id, entry_id, post_id)
    SELECT CAST(:owner AS bigint), x.post_id, x.post_id
    FROM unnest(CAST(:people AS bigint[])) AS a(author_id) CROSS JOIN LATERAL (
        SELECT s.post_id FROM (
            SELECT * FROM snapshots s WHERE s.author_id = a.author_id AND NOT s.deleted ORDER BY s.post_id DESC LIMIT :each
        ) s WHERE {BY_TAG.format(owner=":owner")}
    ) x WHERE EXISTS (SELECT FROM followed_tags WHERE account_id = :owner) AND {_IS_MISSING}
    ORDER BY x.post_id DESC LIMIT :kept
    ON CONFLICT DO NOTHING
""")
_FOLLOWED: Final = f"""
    EXISTS (SELECT FROM follows f WHERE f.follower_id = {{owner}} AND f.followed_id = {{source}} AND {{boosts}} AND {BY_FOLLOW.format(language="s.language")})
"""
_REMOVE_OF = text(f"""
    DELETE FROM feed_entries e USING snapshots s
    WHERE e.owner_id = :owner AND s.post_id = e.post_id AND CASE
        WHEN e.booster_id IS NULL THEN s.author_id = ANY(CAST(:people AS bigint[]))
            AND NOT {_FOLLOWED.format(owner=":owner", source="s.author_id", boosts="true")} AND NOT {BY_TAG.format(owner=":owner")}
        ELSE e.booster_id = ANY(CAST(:people AS bigint[]))
            AND NOT {_FOLLOWED.format(owner=":owner", source="e.booster_id", boosts="f.reblogs")} END
""")
_REMOVE_TAGGED: Final = f"""
    DELETE FROM feed_entries e USING snapshots s
    WHERE {{which}} AND e.booster_id IS NULL AND s.post_id = e.post_id AND s.author_id <> e.owner_id
      AND NOT {_FOLLOWED.format(owner="e.owner_id", source="s.author_id", boosts="true")} AND NOT {BY_TAG.format(owner="e.owner_id")}
"""
_REMOVE_TAG = text(
    _REMOVE_TAGGED.format(which="e.owner_id = :owner AND EXISTS (SELECT FROM hashtags k WHERE k.name = :tag AND k.post_id = e.post_id)")
)
_REMOVE_POST = text(_REMOVE_TAGGED.format(which="e.post_id = :post AND EXISTS (SELECT FROM followed_tags WHERE name = ANY(:tags))"))


async def fill(session: AsyncSession, owner: int) -> int:
    """Put the newest that belongs into a feed there; return how many entries it lacked."""
    return await _add(session, owner, None, _EACH)


async def add_people(session: AsyncSession, owner: int, people: Sequence[int]) -> None:
    """Put the newest of these people that belongs into the feed there."""
    await _add(session, owner, people, _EACH_NEW)


async def remove_people(session: AsyncSession, owner: int, people: Sequence[int]) -> None:
    """Take out what these people, all of them others, said and boosted and what doesn't belong into the feed any more."""
    await session.execute(_REMOVE_OF, {"owner": owner, "people": list(people)})


async def add_tag(session: AsyncSession, owner: int, tag: str) -> None:
    """Put the newest with a hashtag that the owner follows now into the feed."""
    await session.execute(_ADD_TAGGED, {"owner": owner, "tag": tag, "each": _EACH_NEW, "kept": KEPT})


async def remove_tag(session: AsyncSession, owner: int, tag: str) -> None:
    """Take out what was there because of a hashtag that the owner doesn't follow any more."""
    await session.execute(_REMOVE_TAG, {"owner": owner, "tag": tag})


async def remove_untagged(session: AsyncSession, post: int, tags: Sequence[str]) -> None:
    """Take a post out of the feeds where it was because of hashtags that it hasn't any more."""
    await session.execute(_REMOVE_POST, {"post": post, "tags": list(tags)})


async def _add(session: AsyncSession, owner: int, people: Sequence[int] | None, each: int) -> int:
    given: dict[str, Any] = {"owner": owner, "people": None if people is None else list(people), "each": each, "kept": KEPT}
    tagged = _ADD_TAGGED if people is None else _ADD_TAGGED_OF
    return sum([(await session.execute(statement, {**given, "tag": None})).rowcount for statement in (_ADD_POSTS, tagged, _ADD_BOOSTS)])  # type: ignore[attr-defined]
