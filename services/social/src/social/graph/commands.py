"""Following, blocking, muting: idempotent, with counts that are exact after any interleaving."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from common.errors import DomainError, Forbidden, NotFound
from common.times import now
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from social import notices
from social.feeds.filling import add_people, remove_people
from social.feeds.rules import SET_ASIDE

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")
_MOST_LANGUAGES: Final = 100

_PAIR = text("SELECT account_id, locked, shown FROM profiles WHERE account_id IN (:one, :other) ORDER BY account_id FOR UPDATE")
_BLOCKED = text("""
    SELECT 1 FROM blocks WHERE (blocker_id = :caller AND blocked_id = :target) OR (blocker_id = :target AND blocked_id = :caller)
""")
_OPTIONS: Final = "coalesce(:reblogs, true), coalesce(:notify, false), nullif(CAST(:languages AS text[]), '{}')"
_FOLLOW = text(f"""
    INSERT INTO follows (follower_id, followed_id, reblogs, notify, languages, aside)
    VALUES (:caller, :target, {_OPTIONS}, {SET_ASIDE.format(owner=":caller", author=":target")})
    ON CONFLICT DO NOTHING RETURNING id
""")
_REQUEST = text(f"""
    INSERT INTO follow_requests (follower_id, followed_id, reblogs, notify, languages) VALUES (:caller, :target, {_OPTIONS})
    ON CONFLICT DO NOTHING RETURNING id
""")
_WANTED = text("SELECT reblogs, languages FROM follows WHERE follower_id = :caller AND followed_id = :target")
_CHANGE, _CHANGE_REQUEST = (
    text(f"""
        UPDATE {table} SET reblogs = coalesce(:reblogs, reblogs), notify = coalesce(:notify, notify),
            languages = CASE WHEN CAST(:languages AS text[]) IS NULL THEN languages ELSE nullif(CAST(:languages AS text[]), '{{}}') END
        WHERE follower_id = :caller AND followed_id = :target RETURNING reblogs, languages
    """)
    for table in ("follows", "follow_requests")
)
_FOLLOWS = text("SELECT 1 FROM follows WHERE follower_id = :caller AND followed_id = :target")
_BLOCK = text("INSERT INTO blocks (blocker_id, blocked_id) VALUES (:caller, :target) ON CONFLICT DO NOTHING RETURNING id")
_UNENDORSE = text("DELETE FROM endorsements WHERE account_id = :caller AND endorsed_id = :target")
_UNFOLLOW = text("DELETE FROM follows WHERE follower_id = :caller AND followed_id = :target RETURNING id")
_UNREQUEST = text("DELETE FROM follow_requests WHERE follower_id = :caller AND followed_id = :target RETURNING reblogs, notify, languages")
_COUNT = text("""
    INSERT INTO profile_counts AS c (account_id, following, followers) VALUES (:account, greatest(:following, 0), greatest(:followers, 0))
    ON CONFLICT (account_id) DO UPDATE SET following = c.following + :following, followers = c.followers + :followers
""")
_LEAVE_LISTS = text("""
    DELETE FROM list_members m USING lists l WHERE l.owner_id = :caller AND m.list_id = l.id AND m.account_id = :target
""")
_NOTE = text("""
    INSERT INTO account_notes (author_id, about_id, note) VALUES (:caller, :target, :note)
    ON CONFLICT (author_id, about_id) DO UPDATE SET note = EXCLUDED.note
""")


@dataclass(frozen=True, slots=True)
class Options:
    """What a follower wants of somebody; None leaves it as it is. No language at all stands for all of them."""

    reblogs: bool | None = None
    notify: bool | None = None
    languages: Sequence[str] | None = None


class FollowYourself(Forbidden):
    """You can't follow, block or mute yourself"""

    code = "yourself"


class BlockedByThem(Forbidden):
    """This action is not allowed"""

    code = "blocked"


class NotFollowed(DomainError):
    """Validation failed: You must be already following the person you want to endorse"""

    code = "not_followed"


class BadDuration(DomainError):
    """Validation failed: Duration is between 0 and ten years, in seconds"""

    code = "bad_duration"


class UnknownLanguages(DomainError):
    """Validation failed: Languages is invalid"""

    code = "unknown_languages"


async def follow(session: AsyncSession, caller: int, target: int, options: Options) -> None:
    """Follow somebody, or ask to if they are locked; again changes only the options.

    Raises `NotFound`, `FollowYourself`, `BlockedByThem`, `UnknownLanguages`.
    """
    languages = options.languages or ()
    if len(languages) > _MOST_LANGUAGES or not all(_LANGUAGE.fullmatch(language) for language in languages):
        raise UnknownLanguages
    locked = await _lock_pair(session, caller, target)
    values = _values(caller, target, options)
    if (await session.execute(_BLOCKED, values)).first() is not None:
        raise BlockedByThem
    before = (await session.execute(_WANTED, values)).first()
    if before is not None:
        if (await session.execute(_CHANGE, values)).one() != before:
            await remove_people(session, caller, [target])
            await add_people(session, caller, [target])
    elif locked:
        if (await session.execute(_REQUEST, values)).first() is not None:
            await notices.give(session, "follow_request", target, caller)
        else:
            await session.execute(_CHANGE_REQUEST, values)
    else:
        await _withdraw(session, caller, target)  # asked for while they were locked
        await _connect(session, caller, target, options)


async def unfollow(session: AsyncSession, caller: int, target: int) -> None:
    """Follow somebody no longer; withdraw the request, if it was one."""
    await _lock_pair(session, caller, target)
    await _disconnect(session, caller, target)


async def remove_follower(session: AsyncSession, caller: int, follower: int) -> None:
    """Make somebody follow one no longer."""
    await _lock_pair(session, caller, follower)
    await _disconnect(session, follower, caller)


async def answer_request(session: AsyncSession, caller: int, follower: int, *, accept: bool) -> None:
    """Let somebody follow, or not. Raises `NotFound` when nobody asked."""
    await _lock_pair(session, caller, follower)
    if accept:
        await _accept(session, caller, follower)
    elif await _withdraw(session, follower, caller) is None:
        raise NotFound


async def grant_request(session: AsyncSession, caller: int, follower: int) -> None:
    """Let somebody follow who asked before the caller unlocked their profile, unless they locked it again. Raises `NotFound`."""
    await _lock_pair(session, caller, follower)
    unlocked = await session.scalar(text("SELECT 1 FROM unlocked_profiles WHERE account_id = :caller"), {"caller": caller})
    if unlocked is not None:
        await _accept(session, caller, follower)


async def _accept(session: AsyncSession, caller: int, follower: int) -> None:
    asked = await _withdraw(session, follower, caller)
    if asked is None:
        raise NotFound
    await _connect(session, follower, caller, Options(asked.reblogs, asked.notify, asked.languages))


async def endorse(session: AsyncSession, caller: int, target: int) -> None:
    """Show somebody whom one follows on one's own profile. Raises `NotFound`, `NotFollowed`."""
    await _lock_pair(session, caller, target)
    pair = {"caller": caller, "target": target}
    if (await session.execute(_FOLLOWS, pair)).first() is None:
        raise NotFollowed
    added = text("INSERT INTO endorsements (account_id, endorsed_id) VALUES (:caller, :target) ON CONFLICT DO NOTHING")
    await session.execute(added, pair)


async def unendorse(session: AsyncSession, caller: int, target: int) -> None:
    """Show somebody there no longer."""
    await session.execute(_UNENDORSE, {"caller": caller, "target": target})


async def block(session: AsyncSession, caller: int, target: int) -> None:
    """Neither sees nor reaches the other any more: following ends both ways, neither is in a list of the other's, and what each was told of the
    other is taken back."""
    await _lock_pair(session, caller, target)
    pair = {"caller": caller, "target": target}
    await _disconnect(session, caller, target)
    await _disconnect(session, target, caller)
    if (await session.execute(_BLOCK, pair)).first() is None:
        return
    for one, other in ((caller, target), (target, caller)):
        await session.execute(_LEAVE_LISTS, {"caller": one, "target": other})
        await remove_people(session, one, [other])
        await notices.take_back_all(session, one, other)


async def unblock(session: AsyncSession, caller: int, target: int) -> None:
    """Undo a block; who followed whom doesn't come back."""
    await session.execute(
        text("DELETE FROM blocks WHERE blocker_id = :caller AND blocked_id = :target"), {"caller": caller, "target": target}
    )


async def mute(session: AsyncSession, caller: int, target: int, *, notifications: bool, duration: int) -> None:
    """See somebody's posts in no feed, for `duration` seconds (0: until unmuted)."""
    if not 0 <= duration <= 315_360_000:
        raise BadDuration
    await _lock_pair(session, caller, target)
    await session.execute(
        text("""
            INSERT INTO mutes (muter_id, muted_id, notifications, ends_at) VALUES (:caller, :target, :notifications, :ends_at)
            ON CONFLICT (muter_id, muted_id) DO UPDATE SET notifications = EXCLUDED.notifications, ends_at = EXCLUDED.ends_at
        """),
        {
            "caller": caller,
            "target": target,
            "notifications": notifications,
            "ends_at": now() + timedelta(seconds=duration) if duration else None,
        },
    )


async def unmute(session: AsyncSession, caller: int, target: int) -> None:
    """See somebody's posts again."""
    await session.execute(text("DELETE FROM mutes WHERE muter_id = :caller AND muted_id = :target"), {"caller": caller, "target": target})


async def _lock_pair(session: AsyncSession, caller: int, target: int) -> bool:
    """Lock both profiles in one order, so that no two requests wait for each other; return whether the target is locked."""
    if caller == target:
        raise FollowYourself
    rows = {row.account_id: row for row in await session.execute(_PAIR, {"one": caller, "other": target})}
    if not all(account in rows and rows[account].shown for account in (caller, target)):
        raise NotFound
    return bool(rows[target].locked)


async def _connect(session: AsyncSession, follower: int, followed: int, options: Options) -> None:
    if (await session.execute(_FOLLOW, _values(follower, followed, options))).first() is None:
        return
    await _count(session, follower, followed, 1)
    await add_people(session, follower, [followed])
    await notices.give(session, "follow", followed, follower)


async def _disconnect(session: AsyncSession, follower: int, followed: int) -> None:
    pair = {"caller": follower, "target": followed}
    await _withdraw(session, follower, followed)
    if (await session.execute(_UNFOLLOW, pair)).first() is not None:
        await _count(session, follower, followed, -1)
        await session.execute(_UNENDORSE, pair)
        await remove_people(session, follower, [followed])
        await notices.take_back(session, "follow", followed, follower)


async def _withdraw(session: AsyncSession, follower: int, followed: int) -> Any:
    """Take a request away; return its options, None when there was none."""
    asked = (await session.execute(_UNREQUEST, {"caller": follower, "target": followed})).first()
    if asked is not None:
        await notices.take_back(session, "follow_request", followed, follower)
    return asked


def _values(caller: int, target: int, options: Options) -> dict[str, Any]:
    languages = None if options.languages is None else sorted(set(options.languages))
    return {"caller": caller, "target": target, "reblogs": options.reblogs, "notify": options.notify, "languages": languages}


async def _count(session: AsyncSession, follower: int, followed: int, change: int) -> None:
    for account, following, followers in sorted([(follower, change, 0), (followed, 0, change)]):
        await session.execute(_COUNT, {"account": account, "following": following, "followers": followers})


async def note(session: AsyncSession, caller: int, target: int, comment: str) -> None:
    """Keep a note about somebody; an empty one takes it away. Raises `NotFound`."""
    if await session.scalar(text("SELECT 1 FROM profiles WHERE account_id = :target AND shown"), {"target": target}) is None:
        raise NotFound
    values = {"caller": caller, "target": target, "note": comment}
    if comment:
        await session.execute(_NOTE, values)
    else:
        await session.execute(text("DELETE FROM account_notes WHERE author_id = :caller AND about_id = :target"), values)
