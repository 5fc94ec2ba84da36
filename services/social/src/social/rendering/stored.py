"""Stored bytes of posts and profiles, read once for each version of their rows and kept in this process.

A page's statement gives ids, counts, and the `xmin` of each row: the transaction that wrote it, so a row that changed has another
(PostgreSQL's documentation, "System Columns"). What this process has under the same id and `xmin` needn't travel again, and what a
whole community reads at the same time is the same few posts.
"""

from collections.abc import Iterable
from typing import Any, Final

from common.statements import Connection, Statement

from social.rendering.matching import text_of
from social.rendering.rules import Viewers

_POSTS: Final = Statement("""
    SELECT post_id, xmin, head, content, coalesce(conversation_id, post_id) FROM snapshots WHERE post_id = ANY(%(ids)s) AND NOT deleted
""")
_PEOPLE: Final = Statement("SELECT account_id, xmin, username, head FROM profiles WHERE account_id = ANY(%(ids)s) AND shown")

RowVersion = tuple[int, bytes]
"""An id and the `xmin` of its row."""

StoredPost = tuple[bytes, bytes, int]
"""Head and content of a post, and the conversation that it is in."""


class Stored:
    """What posts and profiles say, by row version, and what viewers set up. Also knows the public URL, which every address begins with."""

    def __init__(self, public_url: str, most_posts: int = 8_000, most_people: int = 4_000, most_texts: int = 2_000) -> None:
        self.public_url = public_url
        self.viewers = Viewers()
        self._posts: dict[RowVersion, StoredPost] = {}
        self._people: dict[RowVersion, tuple[str, bytes]] = {}
        self._texts: dict[RowVersion, str] = {}
        self._most_texts = most_texts
        self._most_posts = most_posts
        self._most_people = most_people

    def remember(self, row_version: RowVersion, said: StoredPost) -> None:
        """Have the bytes of a post that was just written, and is about to be read."""
        self._posts[row_version] = said
        _trim(self._posts, self._most_posts)

    async def posts(self, connection: Connection, wanted: Iterable[RowVersion]) -> dict[int, StoredPost]:
        """Posts by id, at least as new as asked for; those that were deleted meanwhile are absent."""
        return await _look_up(connection, _POSTS, self._posts, self._most_posts, wanted)

    async def people(self, connection: Connection, wanted: Iterable[RowVersion]) -> dict[int, tuple[str, bytes]]:
        """Username and head of profiles by account id; those that are hidden by now are absent."""
        return await _look_up(connection, _PEOPLE, self._people, self._most_people, wanted)

    def text(self, row_version: RowVersion, content: bytes) -> str:
        """What a post says, for those who filter."""
        text = self._texts.get(row_version)
        if text is None:
            text = self._texts[row_version] = text_of(content)
            _trim(self._texts, self._most_texts)
        return text


async def _look_up(
    connection: Connection, statement: Statement, kept: dict[RowVersion, Any], most: int, wanted: Iterable[RowVersion]
) -> dict[int, Any]:
    found: dict[int, Any] = {}
    missing: list[int] = []
    for row_version in wanted:
        known = kept.get(row_version)
        if known is None:
            missing.append(row_version[0])
        else:
            found[row_version[0]] = known
    if missing:
        for an_id, version, *said in await connection.rows(statement, {"ids": missing}):
            found[an_id] = kept[an_id, version] = tuple(said)
        _trim(kept, most)
    return found


def _trim(kept: dict[Any, Any], most: int) -> None:
    """Forget the oldest; what is still read comes back with the next page."""
    while len(kept) > most:
        del kept[next(iter(kept))]
