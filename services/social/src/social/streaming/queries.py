"""One post or boost for many viewers at once: whose feed it belongs into now, and the Status as each of them sees it.

The rules are those of the pages: what `feeds.rules` and `rendering.visibility` say of `%(viewer)s` is asked here of each viewer `looker.id`.
"""

from collections.abc import Sequence
from typing import Final

from common.paging import Page
from common.statements import Connection, Row, Statement

from social.conversations import queries as conversations
from social.feeds import queries as feeds
from social.feeds.rules import ANSWERS_FOLLOWED, BY_FOLLOW, BY_TAG
from social.rendering.statuses import COLUMNS, ENTRY_COLUMNS, ENTRY_JOINS, ENTRY_WIDTH, JOINS, render_entries
from social.rendering.stored import Stored
from social.rendering.visibility import NAMES_NOBODY_HIDDEN, NOT_BLOCKED, NOT_MUTED, WANTS_TO_SEE

Seen = dict[int, bytes]
"""The Status as each viewer sees it; who isn't to get it is absent."""

_FOLLOWS: Final = f"""
    EXISTS (SELECT FROM follows f WHERE f.follower_id = looker.id AND f.followed_id = {{source}} AND {{boosts}} AND {BY_FOLLOW.format(language="s.language")})
"""
_AT_HOME: Final = f"""
    {NAMES_NOBODY_HIDDEN} AND CASE
        WHEN e.booster_id IS NOT NULL THEN
            b.shown AND {NOT_MUTED.format(account="e.booster_id")} AND {NOT_BLOCKED.format(account="e.booster_id")}
            AND (e.booster_id = looker.id OR (
                {_FOLLOWS.format(source="e.booster_id", boosts="f.reblogs")}
                AND NOT EXISTS (SELECT FROM feed_entries k WHERE k.owner_id = looker.id AND k.post_id = s.post_id AND k.entry_id <> e.entry_id)))
        WHEN s.author_id = looker.id THEN true
        WHEN s.visibility = 'direct' THEN
            EXISTS (SELECT FROM mentions m WHERE m.post_id = s.post_id AND m.account_id = looker.id)
            AND {_FOLLOWS.format(source="s.author_id", boosts="true")}
        ELSE ({_FOLLOWS.format(source="s.author_id", boosts="true")} AND {ANSWERS_FOLLOWED.format(owner="looker.id")})
            OR {BY_TAG.format(owner="looker.id")} END
"""
_IN_PUBLIC: Final = "e.booster_id IS NULL AND s.visibility = 'public'"


def _for_each(condition: str) -> Statement:
    return Statement(
        f"""
        SELECT {COLUMNS}, {ENTRY_COLUMNS}, looker.id
        FROM (
            SELECT post_id AS entry_id, post_id, NULL::bigint AS booster_id FROM snapshots WHERE post_id = %(entry)s
            UNION ALL SELECT id, post_id, account_id FROM boosts WHERE id = %(entry)s
        ) e JOIN snapshots s ON s.post_id = e.post_id {JOINS} {ENTRY_JOINS}
        CROSS JOIN unnest(%(viewers)s::bigint[]) AS looker(id)
        WHERE {WANTS_TO_SEE} AND {condition}
        """.replace("%(viewer)s", "looker.id")
    )


_HOME: Final = _for_each(_AT_HOME)
_PUBLIC: Final = _for_each(_IN_PUBLIC)
_VERSION: Final = Statement("SELECT version FROM snapshots WHERE post_id = %(post)s")
_LISTS: Final = Statement("""
    SELECT l.id, l.owner_id, l.replies_policy FROM lists l JOIN list_members m ON m.list_id = l.id
    WHERE l.id = ANY(%(lists)s::bigint[]) AND m.account_id = (
        SELECT author_id FROM snapshots WHERE post_id = %(entry)s UNION ALL SELECT account_id FROM boosts WHERE id = %(entry)s)
""")
_FOLLOWERS: Final = Statement("""
    SELECT looker.id FROM unnest(%(viewers)s::bigint[]) AS looker(id)
    WHERE looker.id = %(source)s OR (%(followers)s AND (SELECT 1 FROM follows WHERE follower_id = looker.id AND followed_id = %(source)s) IS NOT NULL)
""")
_CONVERSATIONS: Final = Statement("""
    SELECT c.account_id, c.id FROM snapshots s JOIN conversations c ON c.conversation_id = coalesce(s.conversation_id, s.post_id)
    WHERE s.post_id = %(post)s AND s.visibility = 'direct' AND c.account_id = ANY(%(viewers)s::bigint[]) AND c.last_post_id > c.hidden_id
""")


async def is_known(connection: Connection, post_id: int, version: int) -> bool:
    """Whether this version of a post, or a later one, was applied here."""
    rows = await connection.rows(_VERSION, {"post": post_id})
    return bool(rows) and rows[0][0] >= version


async def at_home(connection: Connection, stored: Stored, entry_id: int, viewers: Sequence[int]) -> Seen:
    """The entry for those of the viewers whose home feeds it belongs into."""
    return await _seen(connection, stored, _HOME, entry_id, viewers)


async def in_public(connection: Connection, stored: Stored, entry_id: int, viewers: Sequence[int]) -> Seen:
    """A public post for those of the viewers who may and want to see it."""
    return await _seen(connection, stored, _PUBLIC, entry_id, viewers)


async def in_lists(connection: Connection, stored: Stored, entry_id: int, lists: Sequence[int]) -> Seen:
    """The entry for the owners of lists that it is in, by list: what a page of this one entry would show."""
    seen: Seen = {}
    if lists:
        for list_id, owner, policy in await connection.rows(_LISTS, {"lists": lists, "entry": entry_id}):
            page = await feeds.listed(connection, stored, list_id, policy, owner, Page(limit=1, max_id=entry_id + 1, since_id=entry_id - 1))
            if page.statuses:
                seen[list_id] = page.statuses[0]
    return seen


async def in_conversations(connection: Connection, stored: Stored, post_id: int, viewers: Sequence[int]) -> Seen:
    """The Conversation that a direct post is in, for those of the viewers who have it."""
    if not viewers:
        return {}
    rows = await connection.rows(_CONVERSATIONS, {"post": post_id, "viewers": viewers})
    return {viewer: await conversations.one(connection, stored, viewer, an_id) for viewer, an_id in rows}


async def followers(connection: Connection, source: int, viewers: Sequence[int], *, alone: bool) -> list[int]:
    """Which of the viewers had reason to have something of an account in their home feeds; when it was for nobody else, only the account."""
    given = {"source": source, "viewers": viewers, "followers": not alone}
    return [row[0] for row in await connection.rows(_FOLLOWERS, given)] if viewers else []


async def _seen(connection: Connection, stored: Stored, statement: Statement, entry_id: int, viewers: Sequence[int]) -> Seen:
    rows: list[Row] = await connection.rows(statement, {"entry": entry_id, "viewers": viewers}) if viewers else []
    seen: Seen = {}
    for row in rows:
        made = (await render_entries(connection, stored, [row], row[ENTRY_WIDTH]))[0]
        if made is not None:
            seen[row[ENTRY_WIDTH]] = made
    return seen
