"""Looks whether what was written a moment ago is still there, and writes it again if not.

A search engine that is killed may come back without the last of what it had acknowledged: Elasticsearch when its translog isn't synced with
every request, the embedded engine always. Nobody else would notice, since the events have been acknowledged by then.
"""

import asyncio
from contextlib import suppress
from typing import Final

from common.errors import Transient

from search.index import Document, Index

_EVERY: Final = 3.0
_SETTLED_AFTER: Final = 2.0
_AT_ONCE: Final = 500
_MOST: Final = 5_000


class Confirmer:
    """Keeps the newest documents, at most 5,000 and for seconds, until they were seen to have stayed."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._open: dict[tuple[str, str], tuple[float, Document]] = {}

    def expect(self, document: Document) -> None:
        """This was written now."""
        key = document.kind, document.id
        earlier = self._open.pop(key, None)
        if earlier is not None and earlier[1].version > document.version:
            document = earlier[1]
        self._open[key] = asyncio.get_running_loop().time(), document
        while len(self._open) > _MOST:
            del self._open[next(iter(self._open))]

    async def watch(self) -> None:
        """Look every few seconds."""
        while True:
            await asyncio.sleep(_EVERY)
            with suppress(Transient):  # it is away: what is open stays open
                await self.confirm()

    async def confirm(self) -> int:
        """Look at what has had time to settle, write again what is missing and return how much that was. Raises `Transient`."""
        settled = asyncio.get_running_loop().time() - _SETTLED_AFTER
        due = [document for written, document in self._open.values() if written <= settled][:_AT_ONCE]
        lost = await self._index.missing(due)
        for document in due:
            kept = self._open.get((document.kind, document.id))
            if kept is not None and kept[1] is document:
                del self._open[document.kind, document.id]
        await self._index.put(lost)
        for document in lost:
            self.expect(document)
        return len(lost)
