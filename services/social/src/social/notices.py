"""Who should be told of something, and may be."""

from collections.abc import Sequence
from typing import Any, Final

from common import outbox
from common.events import ANY_KIND, NoticeTrigger
from common.times import now
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from social.rendering.matching import Keyword, found, text_of

_WANTED = text("""
    SELECT t.account_id, p.username, p.display_name, EXISTS (SELECT FROM viewers v WHERE v.account_id = t.account_id) AS has_rules
    FROM profiles p JOIN profiles t ON t.account_id = ANY(:told) AND t.shown
    WHERE p.account_id = :actor AND p.shown
      AND NOT EXISTS (
          SELECT FROM blocks
          WHERE (blocker_id = t.account_id AND blocked_id = :actor) OR (blocker_id = :actor AND blocked_id = t.account_id)
      )
      AND NOT EXISTS (
          SELECT FROM mutes
          WHERE muter_id = t.account_id AND muted_id = :actor AND notifications AND (ends_at IS NULL OR ends_at > now())
      )
    ORDER BY t.account_id
""")
_HIDING: Final = (
    "f.account_id = :told AND f.action = 'hide' AND 'notifications' = ANY(f.contexts) AND (f.ends_at IS NULL OR f.ends_at > now())"
)
_UNWANTED_POST = text(f"""
    SELECT s.author_id = :told AS own, s.content, ARRAY(SELECT unnest(o.options) FROM polls o WHERE o.post_id = s.post_id) AS options,
        EXISTS (SELECT FROM muted_threads WHERE account_id = :told AND conversation_id = coalesce(s.conversation_id, s.post_id)) AS muted,
        EXISTS (SELECT FROM filters f JOIN filter_statuses n ON n.filter_id = f.id WHERE n.post_id = s.post_id AND {_HIDING}) AS named
    FROM snapshots s WHERE s.post_id = :post
""")
_UNWANTED_WORDS = text(f"SELECT k.keyword, k.whole_word FROM filters f JOIN filter_keywords k ON k.filter_id = f.id WHERE {_HIDING}")


async def give(session: AsyncSession, kind: str, told: int, actor: int, post_id: int | None = None, **more: Any) -> None:
    """Tell somebody of what another did, unless it is themselves, a block or mute stands between them, or they muted the thread or filter it."""
    if told != actor:
        await give_all(session, kind, [told], actor, post_id, **more)


async def give_all(
    session: AsyncSession, kind: str, told: Sequence[int], actor: int, post_id: int | None = None, occasion: str = "", **more: Any
) -> None:
    """Tell many of something, themselves too if they are among them; `occasion` tells apart what may happen more than once."""
    given = []
    for row in (await session.execute(_WANTED, {"told": list(told), "actor": actor})).all():
        if not (row.has_rules and post_id is not None and await _ruled_out(session, row.account_id, post_id)):
            given.append(_notice(kind, row.account_id, actor, post_id, row.username, row.display_name or row.username, occasion, **more))
    await outbox.add(session, *given, happened=f"notice.{kind}")


async def take_back(session: AsyncSession, kind: str, told: int, actor: int, post_id: int | None = None) -> None:
    """Take an earlier notice back: what it told of was undone."""
    if told != actor:
        await outbox.add(session, _notice(kind, told, actor, post_id, "", "", retracted=True), happened="notice.retracted")


async def _ruled_out(session: AsyncSession, told: int, post_id: int) -> bool:
    """Whether somebody muted the post's thread, or a filter of theirs hides it among notifications; their own posts they don't filter."""
    post = (await session.execute(_UNWANTED_POST, {"told": told, "post": post_id})).first()
    if post is None or (post.own and not post.muted):
        return False
    if post.muted or post.named:
        return True
    words = (await session.execute(_UNWANTED_WORDS, {"told": told})).all()
    return bool(words) and bool(
        found((Keyword.of(row.keyword, whole_word=row.whole_word) for row in words), text_of(post.content, post.options))
    )


async def take_back_all(session: AsyncSession, told: int, actor: int) -> None:
    """Take back whatever somebody was ever told of another."""
    await outbox.add(session, _notice(ANY_KIND, told, actor, None, "", "", retracted=True), happened="notice.retracted")


def _notice(
    kind: str, told: int, actor: int, post_id: int | None, username: str, name: str, occasion: str = "", **more: Any
) -> NoticeTrigger:
    return NoticeTrigger(
        dedupe=f"{kind}:{actor}:{post_id or 0}" + (f":{occasion}" if occasion else ""),
        kind=kind,
        account_id=told,
        actor_id=actor,
        actor_username=username,
        actor_name=name,
        post_id=post_id,
        **{"happened_at": now(), **more},
    )
