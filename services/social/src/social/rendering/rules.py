"""What viewers set up for what they see: filters, and threads that they muted. Kept in this process by viewer and version.

A page's statement tells the viewer's version, which every change of theirs renews (`social.viewers`), and NULL for nearly everybody: who
has set up nothing pays for one look at an index and no more.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from common.statements import Connection
from common.times import iso, now

from social.rendering.matching import Keyword, found

_FILTERS: Final = "SELECT id, title, contexts, action, ends_at FROM filters WHERE account_id = %s ORDER BY id"
_KEYWORDS: Final = """
    SELECT k.filter_id, k.keyword, k.whole_word FROM filters f JOIN filter_keywords k ON k.filter_id = f.id WHERE f.account_id = %s ORDER BY k.id
"""
_POSTS: Final = "SELECT n.filter_id, n.post_id FROM filters f JOIN filter_statuses n ON n.filter_id = f.id WHERE f.account_id = %s"
_THREADS: Final = "SELECT conversation_id FROM muted_threads WHERE account_id = %s"

_MOST_KNOWN: Final = 1_000
"""Posts whose outcome is kept for a viewer."""

NONE: Final = b"[]"


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter with what it looks for; `shown` is how a FilterResult shows it."""

    ends_at: datetime | None
    keywords: tuple[Keyword, ...]
    posts: frozenset[int]
    shown: dict[str, Any]


class Rules:
    """What one viewer set up, as of one version."""

    def __init__(self, filters: Sequence[Filter], muted: frozenset[int]) -> None:
        self._filters = filters
        self._muted = muted
        self._known: dict[tuple[int, bytes], bytes] = {}
        self._ends_at = self._next_end()
        self.look_at_the_clock()

    def look_at_the_clock(self) -> None:
        """Forget filters that ended meanwhile. Once a page is often enough."""
        if self._ends_at is None or self._ends_at > (moment := now()):
            return
        self._filters = [one for one in self._filters if one.ends_at is None or one.ends_at > moment]
        self._ends_at = self._next_end()
        self._known.clear()

    def _next_end(self) -> datetime | None:
        return min((one.ends_at for one in self._filters if one.ends_at is not None), default=None)

    def mutes(self, conversation_id: int) -> bool:
        return conversation_id in self._muted

    def filtered(self, row_version: tuple[int, bytes], text: Callable[[], str]) -> bytes:
        """The FilterResults of a post, as a JSON array; `text` is asked for what it says when that isn't known."""
        known = self._known.get(row_version)
        if known is None:
            while len(self._known) >= _MOST_KNOWN:
                del self._known[next(iter(self._known))]
            known = self._known[row_version] = self._results(row_version[0], text()) if self._filters else NONE
        return known

    def _results(self, post_id: int, text: str) -> bytes:
        results = []
        for one in self._filters:
            keywords, posts = found(one.keywords, text), [str(post_id)] if post_id in one.posts else []
            if keywords or posts:
                results.append({"filter": one.shown, "keyword_matches": keywords, "status_matches": posts})
        return orjson.dumps(results) if results else NONE


class Viewers:
    """The rules of those who have some, by version."""

    def __init__(self, most: int = 2_000) -> None:
        self._known: dict[int, tuple[int, Rules]] = {}
        self._most = most

    async def rules(self, connection: Connection, viewer: int, version: int | None) -> Rules | None:
        """What a viewer set up, at least as new as this version; None for somebody without any."""
        if version is None:
            return None
        known = self._known.get(viewer)
        if known is not None and known[0] == version:
            known[1].look_at_the_clock()
            return known[1]
        rules = await _read(connection, viewer)
        self._known.pop(viewer, None)
        self._known[viewer] = (version, rules)
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        return rules


async def _read(connection: Connection, viewer: int) -> Rules:
    async def rows(statement: str) -> list[tuple[Any, ...]]:
        return list(await (await connection.execute(statement, (viewer,))).fetchall())

    keywords: dict[int, list[Keyword]] = defaultdict(list)
    posts: dict[int, list[int]] = defaultdict(list)
    for filter_id, keyword, whole_word in await rows(_KEYWORDS):
        keywords[filter_id].append(Keyword.of(keyword, whole_word=whole_word))
    for filter_id, post_id in await rows(_POSTS):
        posts[filter_id].append(post_id)
    filters = [
        Filter(
            ends_at,
            tuple(keywords[an_id]),
            frozenset(posts[an_id]),
            {
                "id": str(an_id),
                "title": title,
                "context": contexts,
                "expires_at": iso(ends_at) if ends_at else None,
                "filter_action": action,
            },
        )
        for an_id, title, contexts, action, ends_at in await rows(_FILTERS)
    ]
    return Rules(filters, frozenset(row[0] for row in await rows(_THREADS)))
