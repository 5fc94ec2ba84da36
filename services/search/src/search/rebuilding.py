"""Filling new indices from the topics beside live traffic, then putting them in the place of the old ones.

Searches go on in the old indices meanwhile. What the worker writes into those after they were read is read again at the end.
"""

import logging
from collections.abc import Sequence
from typing import Final

from common.events import Event
from common.replaying import Progress, Replay

from search.feeding import SOURCES
from search.index import KINDS, Index, Refused

log = logging.getLogger(__name__)

_REBUILT: Final = tuple(kind for kind in KINDS if kind != "progress")


async def rebuild(index: Index, servers: str, *, progress: Progress | None = None) -> dict[str, int]:
    """Rebuild and return how many documents each index has now. Raises `Transient` while Elasticsearch is away."""
    await index.prepare()
    fresh = await index.begin_anew(_REBUILT)
    try:
        async with Replay(servers, [kind for kind, _ in SOURCES.values()]) as replay:
            await replay.to_the_end(lambda events: _write(index, events, fresh), progress)
            await index.take_over(fresh)
            await replay.to_the_end(lambda events: _write(index, events, {}))
    except BaseException:
        await index.forget(fresh)
        raise
    return await index.sizes(_REBUILT)


async def _write(index: Index, events: Sequence[Event], into: dict[str, str]) -> None:
    documents = [document for event in events for document in SOURCES[event.topic][1](event)]
    try:
        await index.put(documents, into)
    except Refused as error:  # all the others were written; its event lies with the dead letters already
        log.warning("left out of the new index", extra={"reason": str(error)})
