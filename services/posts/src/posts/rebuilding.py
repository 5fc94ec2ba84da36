"""Filling what `posts` keeps of authors anew from the topic of `social`."""

from common.db import Database
from common.events import Event, ProfileState
from common.rebuilding import Copy, Rebuild
from common.replaying import Progress
from sqlalchemy.ext.asyncio import AsyncSession

from posts import projections

_COPIES = (Copy("authors", ["account_id"], ["profile_version", "visibility", "sensitive", "language"], version="profile_version"),)


async def rebuild(database: Database, servers: str, *, force: bool = False, progress: Progress | None = None) -> dict[str, int]:
    """Rebuild and return how many rows differed, by table. Raises `common.rebuilding.TopicsTooShort`."""

    async def apply(session: AsyncSession, event: Event) -> None:
        assert isinstance(event, ProfileState)  # noqa: S101 - the only kind asked for
        await projections.apply_profile(session, event)

    return await Rebuild("posts", database, servers, [ProfileState], _COPIES, apply).run(force=force, progress=progress)
