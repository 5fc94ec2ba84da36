"""Look-ups of posts and pictures, each with the question whose they are inside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from common.errors import NotFound
from common.statements import Connection, Statement
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from posts.tables import AuthorRow, MediaRow, PostRow, RevisionRow

_CONVERSATION = text("""
    WITH RECURSIVE up AS (
        SELECT id, reply_to_id, conversation_id FROM posts WHERE id = :parent
        UNION ALL
        SELECT p.id, p.reply_to_id, p.conversation_id FROM up JOIN posts p ON p.id = up.reply_to_id WHERE up.conversation_id IS NULL
    )
    SELECT coalesce(conversation_id, id) FROM up WHERE conversation_id IS NOT NULL OR reply_to_id IS NULL
""")


async def conversation_of(session: AsyncSession, parent_id: int | None) -> int | None:
    """The post that the thread of this one began with; looks no further up than to the first that has it kept."""
    return None if parent_id is None else await session.scalar(_CONVERSATION, {"parent": parent_id})


async def own_post(session: AsyncSession, post_id: int, author_id: int, *, lock: bool = False) -> PostRow:
    """Return the author's own post that isn't deleted; raises `NotFound` for everybody else's."""
    statement = select(PostRow).where(PostRow.id == post_id, PostRow.author_id == author_id, PostRow.deleted_at.is_(None))
    post = (await session.scalars(statement.with_for_update() if lock else statement)).one_or_none()
    if post is None:
        raise NotFound
    return post


async def revisions_of(session: AsyncSession, post_id: int) -> tuple[PostRow, Sequence[RevisionRow]]:
    """Return a post and what it said before, oldest first; the caller made sure that the viewer may see it. Raises `NotFound`."""
    post = (await session.scalars(select(PostRow).where(PostRow.id == post_id, PostRow.deleted_at.is_(None)))).one_or_none()
    if post is None:
        raise NotFound
    rows = await session.scalars(select(RevisionRow).where(RevisionRow.post_id == post_id).order_by(RevisionRow.version))
    return post, rows.all()


async def media_of(session: AsyncSession, post_id: int) -> Sequence[MediaRow]:
    """A post's pictures in their order."""
    return (await session.scalars(select(MediaRow).where(MediaRow.post_id == post_id).order_by(MediaRow.position))).all()


async def own_media(session: AsyncSession, media_id: int, owner_id: int) -> MediaRow:
    """Return the owner's own picture; raises `NotFound`."""
    row = (await session.scalars(select(MediaRow).where(MediaRow.id == media_id, MediaRow.owner_id == owner_id))).one_or_none()
    if row is None:
        raise NotFound
    return row


_NEXT: Final = Statement("""
    SELECT microblog_id(), clock_timestamp(), coalesce(a.visibility, 'public'), coalesce(a.sensitive, false), a.language, coalesce(a.erased, false)
    FROM (SELECT %(author)s::bigint AS author_id) asked LEFT JOIN authors a ON a.account_id = asked.author_id
""")


async def next_post(connection: Connection, author_id: int) -> tuple[int, datetime, AuthorRow]:
    """An id and a time for a post that is about to be written, and its author's defaults."""
    ((post_id, created_at, visibility, sensitive, language, erased),) = await connection.rows(_NEXT, {"author": author_id})
    return (
        post_id,
        created_at,
        AuthorRow(account_id=author_id, visibility=visibility, sensitive=sensitive, language=language, erased=erased),
    )


async def author(session: AsyncSession, account_id: int) -> AuthorRow:
    """An author's defaults; those of a newcomer while nothing was heard of them."""
    return await session.get(AuthorRow, account_id) or AuthorRow(
        account_id=account_id, profile_version=0, visibility="public", sensitive=False, language=None, erased=False
    )
