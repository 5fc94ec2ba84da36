"""Filling what `translate` keeps of posts anew from their topic. Translations themselves stay as far as a post still uses them."""

from common.db import Database
from common.events import Event, PostState
from common.rebuilding import Copy, Rebuild
from common.replaying import Progress
from sqlalchemy.ext.asyncio import AsyncSession

from translate.projections import keep_sources

_COPIES = (
    Copy(
        "sources",
        ["post_id"],
        ["version", "author_id", "language", "html", "spoiler", "descriptions", "options", "gone", "private"],
        version="version",
        idkey="post_id",
    ),
)


async def rebuild(database: Database, servers: str, *, force: bool = False, progress: Progress | None = None) -> dict[str, int]:
    """Rebuild and return how many rows differed, by table. Raises `common.rebuilding.TopicsTooShort`."""

    async def apply(session: AsyncSession, event: Event) -> None:
        assert isinstance(event, PostState)  # noqa: S101 - the only kind asked for
        await keep_sources(session, [event])

    return await Rebuild("translate", database, servers, [PostState], _COPIES, apply).run(force=force, progress=progress)
