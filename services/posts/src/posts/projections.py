"""What `posts` keeps of others' events."""

from common.events import AccountState, ProfileState
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from posts.commands import Site, remove_post
from posts.tables import AuthorRow, MediaRow, PostRow

_AT_ONCE = 200


async def apply_profile(session: AsyncSession, event: ProfileState) -> bool:
    """Keep an author's posting defaults; True if these were newer."""
    defaults = {
        "profile_version": event.version,
        "visibility": event.default_visibility,
        "sensitive": event.default_sensitive,
        "language": event.default_language,
    }
    newer = (
        insert(AuthorRow)
        .values(account_id=event.account_id, **defaults)
        .on_conflict_do_update(index_elements=["account_id"], set_=defaults, where=AuthorRow.profile_version < event.version)
        .returning(AuthorRow.account_id)
    )
    return (await session.execute(newer)).first() is not None


async def apply_account(session: AsyncSession, event: AccountState) -> bool:
    """Erase what a deleted account wrote, at most 200 posts in one transaction; True when there is more to do."""
    if not event.deleted:
        return False
    gone = insert(AuthorRow).values(account_id=event.account_id, erased=True)
    await session.execute(gone.on_conflict_do_update(index_elements=["account_id"], set_={"erased": True}))
    return await erase(session, event.account_id)


async def erase(session: AsyncSession, account_id: int) -> bool:
    """Delete 200 posts of an account, and leave its pictures to the sweeper; True when there is more to do."""
    statement = select(PostRow.id).where(PostRow.author_id == account_id, PostRow.deleted_at.is_(None)).limit(_AT_ONCE + 1)
    post_ids = (await session.scalars(statement)).all()
    for post_id in post_ids[:_AT_ONCE]:
        await remove_post(session, Site("", 0), post_id, account_id)
    # The sweeper deletes loose pictures with their files as soon as they are old enough: these are.
    await session.flush()
    loose = update(MediaRow).where(MediaRow.owner_id == account_id, MediaRow.post_id.is_(None))
    await session.execute(loose.values(loose_since=text("'-infinity'::timestamptz")))
    return len(post_ids) > _AT_ONCE
