"""Filling what `notify` keeps of people anew from the topic of `auth`. Notifications and the ledger of mails are its own: nothing else has them."""

from common.db import Database
from common.events import AccountState, Event
from common.rebuilding import Copy, Rebuild
from common.replaying import Progress
from sqlalchemy.ext.asyncio import AsyncSession

from notify.projections import keep_person

_COPIES = (Copy("people", ["account_id"], ["version", "username", "state"], version="version"),)


async def rebuild(database: Database, servers: str, *, force: bool = False, progress: Progress | None = None) -> dict[str, int]:
    """Rebuild and return how many rows differed, by table. Raises `common.rebuilding.TopicsTooShort`."""

    async def apply(session: AsyncSession, event: Event) -> None:
        assert isinstance(event, AccountState)  # noqa: S101 - the only kind asked for
        await keep_person(session, event)

    return await Rebuild("notify", database, servers, [AccountState], _COPIES, apply).run(force=force, progress=progress)
