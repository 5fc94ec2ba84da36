"""Making lists and changing who is in them: idempotent; what members of exclusive lists say leaves the home feed, and comes back.

Whoever changes lists locks their own profile first, as all do who follow, block or are blocked: so a list, its owner's follows and blocks
fit together whatever happens at the same time.
"""

from collections.abc import Sequence
from typing import Any

from common.errors import NotFound
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from social.feeds.filling import add_people, remove_people
from social.feeds.rules import SET_ASIDE
from social.graph.commands import BlockedByThem
from social.lists import domain

_LOCK = text("SELECT account_id, shown FROM profiles WHERE account_id = ANY(CAST(:people AS bigint[])) ORDER BY account_id FOR UPDATE")
_COUNT = text("SELECT count(*) FROM lists WHERE owner_id = :owner")
_CREATE = text("""
    INSERT INTO lists (owner_id, title, replies_policy, exclusive) VALUES (:owner, :title, :policy, :exclusive)
    RETURNING id, title, replies_policy, exclusive
""")
_OWNED = text("SELECT id, title, replies_policy, exclusive FROM lists WHERE id = :list AND owner_id = :owner")
_CHANGE = text("""
    UPDATE lists SET title = :title, replies_policy = :policy, exclusive = :exclusive WHERE id = :list AND owner_id = :owner
    RETURNING id, title, replies_policy, exclusive
""")
_DELETE = text("DELETE FROM lists WHERE id = :list AND owner_id = :owner")
_BLOCKED = text("""
    SELECT 1 FROM blocks WHERE blocker_id = :owner AND blocked_id = ANY(CAST(:people AS bigint[]))
    UNION ALL SELECT 1 FROM blocks WHERE blocked_id = :owner AND blocker_id = ANY(CAST(:people AS bigint[]))
""")
_MEMBERS = text("SELECT account_id FROM list_members WHERE list_id = :list")
_ADD = text("""
    INSERT INTO list_members (list_id, account_id) SELECT :list, account_id FROM unnest(CAST(:people AS bigint[])) AS t(account_id)
    ON CONFLICT DO NOTHING RETURNING account_id
""")
_SIZE = text("SELECT count(*) FROM list_members WHERE list_id = :list")
_REMOVE = text("DELETE FROM list_members WHERE list_id = :list AND account_id = ANY(CAST(:people AS bigint[])) RETURNING account_id")
_SET_ASIDE = text(f"""
    UPDATE follows f SET aside = a.aside FROM (
        SELECT t.account_id, {SET_ASIDE.format(owner=":owner", author="t.account_id")} AS aside
        FROM unnest(CAST(:people AS bigint[])) AS t(account_id)
    ) a WHERE f.follower_id = :owner AND f.followed_id = a.account_id AND f.aside <> a.aside
""")


async def create(session: AsyncSession, owner: int, title: str, policy: str, *, exclusive: bool) -> Any:
    """Make a list; return its id, title, replies_policy and exclusive. Raises the errors of `domain`."""
    values = {"owner": owner, "title": domain.check_title(title), "policy": domain.check_policy(policy), "exclusive": exclusive}
    await _lock(session, owner)
    if (await session.scalar(_COUNT, values) or 0) >= domain.MOST_LISTS:
        raise domain.TooManyLists
    return (await session.execute(_CREATE, values)).one()


async def change(session: AsyncSession, owner: int, list_id: int, title: str | None, policy: str | None, exclusive: bool | None) -> Any:
    """Change what is given; return the list as `create` does. Raises `NotFound`, the errors of `domain`."""
    await _lock(session, owner)
    before = await _owned(session, owner, list_id)
    values = {
        "owner": owner,
        "list": list_id,
        "title": before.title if title is None else domain.check_title(title),
        "policy": before.replies_policy if policy is None else domain.check_policy(policy),
        "exclusive": before.exclusive if exclusive is None else exclusive,
    }
    after = (await session.execute(_CHANGE, values)).one()
    if before.exclusive != after.exclusive:
        await _adjust_home(session, owner, (await session.scalars(_MEMBERS, values)).all())
    return after


async def delete(session: AsyncSession, owner: int, list_id: int) -> None:
    """Delete a list. Raises `NotFound`."""
    await _lock(session, owner)
    before = await _owned(session, owner, list_id)
    members = (await session.scalars(_MEMBERS, {"list": list_id})).all() if before.exclusive else []
    await session.execute(_DELETE, {"list": list_id, "owner": owner})
    await _adjust_home(session, owner, members)


async def add(session: AsyncSession, owner: int, list_id: int, people: Sequence[int]) -> None:
    """Put people into a list; whoever is there stays. Raises `NotFound`, `BlockedByThem` and `TooManyMembers`, and then nobody is added."""
    if len(people) > domain.MOST_MEMBERS:
        raise domain.TooManyMembers
    found = await _lock(session, owner, people)
    owned = await _owned(session, owner, list_id)
    if not set(people) <= found:
        raise NotFound
    values = {"owner": owner, "list": list_id, "people": list(people)}
    if (await session.execute(_BLOCKED, values)).first() is not None:
        raise BlockedByThem
    added = (await session.scalars(_ADD, values)).all()
    if (await session.scalar(_SIZE, values) or 0) > domain.MOST_MEMBERS:
        raise domain.TooManyMembers
    if owned.exclusive:
        await _adjust_home(session, owner, added)


async def remove(session: AsyncSession, owner: int, list_id: int, people: Sequence[int]) -> None:
    """Take people out of a list, whoever is there. Raises `NotFound` for the list."""
    await _lock(session, owner)
    owned = await _owned(session, owner, list_id)
    removed = (await session.scalars(_REMOVE, {"list": list_id, "people": list(people)})).all()
    if owned.exclusive:
        await _adjust_home(session, owner, removed)


async def _lock(session: AsyncSession, owner: int, people: Sequence[int] = ()) -> set[int]:
    """Lock profiles in the order of everybody; return who of them is shown. Raises `NotFound` for the owner."""
    found = {row.account_id for row in await session.execute(_LOCK, {"people": [owner, *people]}) if row.shown}
    if owner not in found:
        raise NotFound
    return found


async def _owned(session: AsyncSession, owner: int, list_id: int) -> Any:
    row = (await session.execute(_OWNED, {"list": list_id, "owner": owner})).first()
    if row is None:
        raise NotFound
    return row


async def _adjust_home(session: AsyncSession, owner: int, people: Sequence[int]) -> None:
    """Have the home feed show, or not, what belongs there after these people joined or left exclusive lists."""
    others = [account_id for account_id in people if account_id != owner]
    if others:
        await session.execute(_SET_ASIDE, {"owner": owner, "people": others})
        await remove_people(session, owner, others)
        await add_people(session, owner, others)
