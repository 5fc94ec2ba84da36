"""Whether there are authors whose posts are merged in when a feed is read: a statement that can do so costs half as much again.

`feeds.upkeep` names such an author a minute before `feeds.fanout` stops putting their posts into feeds, so that what was looked up within
that minute is never too old. Reading both ways meanwhile shows nothing twice.
"""

import time
from typing import Final

from common.statements import Connection

_LOOK_EVERY: Final = 10.0
_SOME: Final = b"SELECT EXISTS (SELECT FROM pulled_authors)"

PULLED: Final = "EXISTS (SELECT FROM pulled_authors q WHERE q.author_id = {author} AND q.since < now())"
"""The posts of this author aren't put into feeds."""


class Pulling:
    """Looks at most every ten seconds."""

    def __init__(self) -> None:
        self._some = True
        self._looked = float("-inf")

    async def some(self, connection: Connection) -> bool:
        now = time.monotonic()
        if now - self._looked > _LOOK_EVERY:
            row = await (await connection.execute(_SOME)).fetchone()
            self._some, self._looked = bool(row and row[0]), now
        return self._some
