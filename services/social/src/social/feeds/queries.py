"""Pages of statuses: one statement each, newest first, by id."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from common.paging import Page
from common.statements import Connection, Row, Statement

from social.feeds.rules import ANSWERS_FOLLOWED, BY_FOLLOW, IN_LANGUAGE
from social.rendering.statuses import COLUMNS, ENTRY_COLUMNS, ENTRY_JOINS, JOINS, WIDTH, render, render_entries
from social.rendering.stored import Stored
from social.rendering.visibility import BOOST_SEEN, MAY_SEE, NAMES_NOBODY_HIDDEN, NOT_BLOCKED, NOT_MUTED, WANTS_TO_SEE


@dataclass(frozen=True, slots=True)
class StatusPage:
    """Statuses as JSON, the ids to page by (newest first), and whether there may be more."""

    statuses: list[bytes]
    ids: list[int]
    full: bool


_WRITTEN: Final = """
        SELECT entry_id, post_id, booster_id FROM feed_entries
        WHERE owner_id = %(viewer)s AND entry_id < %(below)s AND entry_id > %(above)s
"""
# Each part in the order of the page: so both are merged, and read only as far as the page goes.
_WITH_PULLED: Final = f"""
        ({_WRITTEN} ORDER BY entry_id {{order}})
        UNION ALL
        (SELECT x.entry_id, x.post_id, x.booster_id
        FROM pulled_authors q JOIN follows f ON f.follower_id = %(viewer)s AND f.followed_id = q.author_id AND NOT f.aside
        CROSS JOIN LATERAL (
            (SELECT s.post_id AS entry_id, s.post_id, NULL::bigint AS booster_id FROM snapshots s
             WHERE s.author_id = q.author_id AND NOT s.deleted AND s.visibility <> 'direct'
               AND s.post_id < %(below)s AND s.post_id > %(above)s
               AND {ANSWERS_FOLLOWED.format(owner="%(viewer)s")} AND {IN_LANGUAGE.format(language="s.language")}
             ORDER BY s.post_id {{order}} LIMIT %(limit)s)
            UNION ALL
            (SELECT o.id, o.post_id, o.account_id FROM boosts o
             JOIN snapshots s ON s.post_id = o.post_id JOIN profiles p ON p.account_id = s.author_id
             WHERE f.reblogs AND o.account_id = q.author_id AND o.id < %(below)s AND o.id > %(above)s AND {WANTS_TO_SEE}
               AND {IN_LANGUAGE.format(language="s.language")}
               AND NOT EXISTS (SELECT FROM feed_entries k WHERE k.owner_id = %(viewer)s AND k.post_id = o.post_id)
               AND NOT EXISTS (SELECT FROM follows f JOIN pulled_authors u ON u.author_id = f.followed_id
                               WHERE f.follower_id = %(viewer)s AND f.followed_id = s.author_id AND {BY_FOLLOW.format(language="s.language")})
             ORDER BY o.id {{order}} LIMIT %(limit)s)
        ) x
        WHERE NOT EXISTS (SELECT FROM feed_entries k WHERE k.owner_id = %(viewer)s AND k.entry_id = x.entry_id)
        ORDER BY x.entry_id {{order}})
"""
_HOME: Final = f"""
    SELECT {COLUMNS}, {ENTRY_COLUMNS}
    FROM (
        {{entries}}
    ) e
    JOIN snapshots s ON s.post_id = e.post_id {JOINS} {ENTRY_JOINS}
    WHERE {WANTS_TO_SEE} AND {NAMES_NOBODY_HIDDEN}
      AND (e.booster_id IS NULL OR (b.shown AND {NOT_MUTED.format(account="e.booster_id")} AND {NOT_BLOCKED.format(account="e.booster_id")}))
    ORDER BY e.entry_id {{order}} LIMIT %(limit)s
"""

_PUBLIC: Final = f"""
    SELECT {COLUMNS} FROM snapshots s {JOINS}
    WHERE s.visibility = 'public' AND NOT s.deleted AND s.post_id < %(below)s AND s.post_id > %(above)s
      AND (s.reply_to_account_id IS NULL OR s.reply_to_account_id = s.author_id) AND (NOT %(only_media)s OR s.has_media)
      AND {WANTS_TO_SEE}
    ORDER BY s.post_id {{order}} LIMIT %(limit)s
"""

_TAG: Final = f"""
    SELECT {COLUMNS} FROM hashtags h JOIN snapshots s ON s.post_id = h.post_id {JOINS}
    WHERE h.name = %(tag)s AND h.post_id < %(below)s AND h.post_id > %(above)s
      AND s.visibility = 'public' AND (NOT %(only_media)s OR s.has_media) AND {WANTS_TO_SEE}
    ORDER BY h.post_id {{order}} LIMIT %(limit)s
"""

# Several hashtags: each of `names` is read in the order of the page, only as far as it goes. When others must be there as well, the one that
# was used least is read instead: of all that have it, the rest is asked post by post.
_TAGS: Final = f"""
    SELECT {COLUMNS} FROM (
        SELECT DISTINCT x.post_id FROM unnest(CASE WHEN cardinality(%(every)s::text[]) = 0 THEN %(names)s::text[] ELSE ARRAY[(
            SELECT a.name FROM unnest(%(every)s::text[]) AS a(name) ORDER BY (
                SELECT count(*) FROM (
                    SELECT FROM hashtags h WHERE h.name = a.name AND h.post_id < %(below)s AND h.post_id > %(above)s LIMIT 1000
                ) used
            ) LIMIT 1
        )] END) AS n(name) CROSS JOIN LATERAL (
            SELECT h.post_id FROM hashtags h JOIN snapshots s ON s.post_id = h.post_id JOIN profiles p ON p.account_id = s.author_id
            WHERE h.name = n.name AND h.post_id < %(below)s AND h.post_id > %(above)s
              AND s.visibility = 'public' AND (NOT %(only_media)s OR s.has_media)
              AND EXISTS (SELECT FROM hashtags k WHERE k.post_id = h.post_id AND k.name = ANY(%(names)s::text[]))
              AND NOT EXISTS (SELECT FROM hashtags k WHERE k.post_id = h.post_id AND k.name = ANY(%(none)s::text[]))
              AND NOT EXISTS (SELECT FROM unnest(%(every)s::text[]) AS a(name)
                              WHERE NOT EXISTS (SELECT FROM hashtags k WHERE k.name = a.name AND k.post_id = h.post_id))
              AND {WANTS_TO_SEE}
            ORDER BY h.post_id {{order}} LIMIT %(limit)s
        ) x ORDER BY x.post_id {{order}} LIMIT %(limit)s
    ) e JOIN snapshots s ON s.post_id = e.post_id {JOINS}
    ORDER BY e.post_id {{order}}
"""

_MEMBERS: Final = f"""
    (SELECT m.account_id, w.follower_id IS NOT NULL AS followed, coalesce(w.reblogs, true) AS reblogs, w.languages
     FROM list_members m JOIN profiles q ON q.account_id = m.account_id AND q.shown
     LEFT JOIN follows w ON w.follower_id = %(viewer)s AND w.followed_id = m.account_id
     WHERE m.list_id = %(list)s AND {NOT_MUTED.format(account="m.account_id")})
"""
_ANSWERS_LISTED: Final = """
    (s.reply_to_account_id IS NULL OR s.reply_to_account_id IN (s.author_id, %(viewer)s)
     OR %(replies)s = 'list'
        AND (SELECT 1 FROM list_members g WHERE g.list_id = %(list)s AND g.account_id = s.reply_to_account_id) IS NOT NULL
     OR %(replies)s = 'followed'
        AND (SELECT 1 FROM follows g WHERE g.follower_id = %(viewer)s AND g.followed_id = s.reply_to_account_id) IS NOT NULL)
"""
_BOOST_LISTED: Final = f"""
    f.reblogs AND (o.visibility <> 'private' OR f.followed OR o.account_id = %(viewer)s) AND {IN_LANGUAGE.format(language="s.language")}
"""
# What a member `f` said and boosted. A post is there once: not as a boost when its author is in the list too, nor when another member boosted it
# before (of the hundred boosts before; what was boosted long ago may come again).
_OF_MEMBER: Final = f"""
    (SELECT s.post_id AS entry_id, s.post_id, NULL::bigint AS booster_id FROM snapshots s
     WHERE s.author_id = f.account_id AND NOT s.deleted AND s.post_id < %(below)s AND s.post_id > %(above)s
       AND (s.visibility IN ('public', 'unlisted') OR s.visibility = 'private' AND (
            f.followed OR s.author_id = %(viewer)s
            OR (SELECT 1 FROM mentions m WHERE m.post_id = s.post_id AND m.account_id = %(viewer)s) IS NOT NULL))
       AND {_ANSWERS_LISTED} AND {IN_LANGUAGE.format(language="s.language")} AND {NAMES_NOBODY_HIDDEN}
     ORDER BY s.post_id {{order}} LIMIT {{each}})
    UNION ALL
    (SELECT o.id, o.post_id, o.account_id FROM boosts o
     JOIN snapshots s ON s.post_id = o.post_id JOIN profiles p ON p.account_id = s.author_id
     WHERE o.account_id = f.account_id AND o.id < %(below)s AND o.id > %(above)s AND {_BOOST_LISTED} AND {WANTS_TO_SEE}
       AND {NAMES_NOBODY_HIDDEN}
       AND NOT ({_ANSWERS_LISTED}
                AND (SELECT 1 FROM list_members g WHERE g.list_id = %(list)s AND g.account_id = s.author_id) IS NOT NULL)
       AND NOT EXISTS (
           SELECT FROM (
               SELECT b.account_id, b.visibility FROM boosts b WHERE b.post_id = s.post_id AND b.id < o.id ORDER BY b.id DESC LIMIT 100
           ) o JOIN {_MEMBERS} f ON f.account_id = o.account_id WHERE {_BOOST_LISTED})
     ORDER BY o.id {{order}} LIMIT {{each}})
"""
# Only members whose newest entry is among the newest of all can have entries on the page: theirs alone are read as far as the page goes.
_LIST: Final = f"""
    SELECT {COLUMNS}, {ENTRY_COLUMNS}
    FROM (
        SELECT x.entry_id, x.post_id, x.booster_id
        FROM (
            SELECT f.* FROM {_MEMBERS} f CROSS JOIN LATERAL (
                SELECT z.entry_id FROM ({_OF_MEMBER.replace("{each}", "1")}) z ORDER BY z.entry_id {{order}} LIMIT 1
            ) n ORDER BY n.entry_id {{order}} LIMIT %(limit)s
        ) f CROSS JOIN LATERAL ({_OF_MEMBER.replace("{each}", "%(limit)s")}) x
        ORDER BY x.entry_id {{order}} LIMIT %(limit)s
    ) e
    JOIN snapshots s ON s.post_id = e.post_id {JOINS} {ENTRY_JOINS}
    WHERE {WANTS_TO_SEE}
    ORDER BY e.entry_id {{order}}
"""

_ACCOUNT: Final = f"""
    SELECT {COLUMNS}, {ENTRY_COLUMNS}
    FROM (
        (SELECT a.post_id AS entry_id, a.post_id, NULL::bigint AS booster_id FROM snapshots a
         WHERE a.author_id = %(account)s AND NOT a.deleted AND a.post_id < %(below)s AND a.post_id > %(above)s
           AND (NOT %(exclude_replies)s OR a.reply_to_id IS NULL OR a.reply_to_account_id = a.author_id)
           AND (NOT %(only_media)s OR a.has_media)
           AND (%(tagged)s::text IS NULL OR EXISTS (SELECT FROM hashtags h WHERE h.name = %(tagged)s AND h.post_id = a.post_id))
           AND (a.visibility IN ('public', 'unlisted') OR a.author_id = %(viewer)s
                OR EXISTS (SELECT FROM mentions m WHERE m.post_id = a.post_id AND m.account_id = %(viewer)s)
                OR (a.visibility = 'private'
                    AND EXISTS (SELECT FROM follows f WHERE f.follower_id = %(viewer)s AND f.followed_id = a.author_id)))
         ORDER BY a.post_id {{order}} LIMIT %(limit)s)
        UNION ALL
        (SELECT o.id, o.post_id, o.account_id FROM boosts o
         JOIN snapshots s ON s.post_id = o.post_id JOIN profiles p ON p.account_id = s.author_id
         WHERE NOT %(exclude_reblogs)s AND o.account_id = %(account)s AND o.id < %(below)s AND o.id > %(above)s
           AND NOT %(only_media)s AND %(tagged)s::text IS NULL AND {BOOST_SEEN} AND {MAY_SEE}
         ORDER BY o.id {{order}} LIMIT %(limit)s)
    ) e
    JOIN snapshots s ON s.post_id = e.post_id {JOINS} {ENTRY_JOINS}
    WHERE {MAY_SEE}
      AND EXISTS (SELECT FROM profiles q WHERE q.account_id = %(account)s AND q.shown) AND {NOT_BLOCKED.format(account="%(account)s")}
    ORDER BY e.entry_id {{order}} LIMIT %(limit)s
"""

_KEPT: Final = f"""
    SELECT {COLUMNS}, k.id FROM {{table}} k JOIN snapshots s ON s.post_id = k.post_id {JOINS}
    WHERE k.account_id = %(account)s AND k.id < %(below)s AND k.id > %(above)s AND {MAY_SEE}
    ORDER BY k.id {{order}} LIMIT %(limit)s
"""


def _both_ways(statement: str) -> dict[bool, Statement]:
    """The statement for pages upwards (True) and downwards (False); made once, so that PostgreSQL keeps its plan."""
    return {up: Statement(statement.replace("{order}", "ASC" if up else "DESC")) for up in (True, False)}


_HOME_PAGE: Final = {
    pulled: _both_ways(_HOME.replace("{entries}", entries)) for pulled, entries in ((False, _WRITTEN), (True, _WITH_PULLED))
}
_PUBLIC_PAGE: Final = _both_ways(_PUBLIC)
_TAG_PAGE: Final = _both_ways(_TAG)
_TAGS_PAGE: Final = _both_ways(_TAGS)
_LIST_PAGE: Final = _both_ways(_LIST)
_ACCOUNT_PAGE: Final = _both_ways(_ACCOUNT)
_KEPT_PAGE: Final = {table: _both_ways(_KEPT.replace("{table}", table)) for table in ("favourites", "bookmarks", "pins")}


async def home(connection: Connection, stored: Stored, viewer: int, page: Page, *, pulled: bool = True) -> StatusPage:
    """The viewer's own feed, boosts included; not `pulled` only where there is nobody whose posts are merged in."""
    return await _entries(connection, stored, await _rows(connection, _HOME_PAGE[pulled], page, viewer=viewer), page, viewer)


async def account(
    connection: Connection,
    stored: Stored,
    account_id: int,
    viewer: int,
    page: Page,
    *,
    exclude_replies: bool = False,
    exclude_reblogs: bool = False,
    only_media: bool = False,
    tagged: str | None = None,
) -> StatusPage:
    """What somebody wrote and boosted, as far as the viewer may see it."""
    rows = await _rows(
        connection,
        _ACCOUNT_PAGE,
        page,
        viewer=viewer,
        account=account_id,
        exclude_replies=exclude_replies,
        exclude_reblogs=exclude_reblogs,
        only_media=only_media,
        tagged=tagged,
    )
    return await _entries(connection, stored, rows, page, viewer)


async def public(connection: Connection, stored: Stored, viewer: int, page: Page, *, only_media: bool = False) -> StatusPage:
    """Everybody's public posts, answers to others left out."""
    rows = await _rows(connection, _PUBLIC_PAGE, page, viewer=viewer, only_media=only_media)
    return await _posts(connection, stored, rows, page, viewer)


async def tag(
    connection: Connection,
    stored: Stored,
    name: str,
    viewer: int,
    page: Page,
    *,
    only_media: bool = False,
    or_any: Sequence[str] = (),
    every: Sequence[str] = (),
    none: Sequence[str] = (),
) -> StatusPage:
    """Public posts with a hashtag, or with any of others; with every of `every` besides, and none of `none`."""
    given: dict[str, Any] = {"viewer": viewer, "only_media": only_media}
    if not (or_any or every or none):
        rows = await _rows(connection, _TAG_PAGE, page, tag=name, **given)
    else:
        wanted = [*every, name] if every and not or_any else [*every]
        rows = await _rows(connection, _TAGS_PAGE, page, names=[name, *or_any], every=wanted, none=[*none], **given)
    return await _posts(connection, stored, rows, page, viewer)


async def listed(connection: Connection, stored: Stored, list_id: int, replies: str, viewer: int, page: Page) -> StatusPage:
    """What the members of the viewer's own list said and boosted; `replies` is the list's policy."""
    rows = await _rows(connection, _LIST_PAGE, page, list=list_id, replies=replies, viewer=viewer)
    return await _entries(connection, stored, rows, page, viewer)


async def kept(connection: Connection, stored: Stored, table: str, viewer: int, page: Page) -> StatusPage:
    """What the viewer liked (`favourites`) or kept (`bookmarks`), by when they did."""
    rows = await _rows(connection, _KEPT_PAGE[table], page, viewer=viewer, account=viewer)
    return await _posts(connection, stored, rows, page, viewer, cursor=WIDTH)


async def pinned(connection: Connection, stored: Stored, account_id: int, viewer: int, page: Page) -> StatusPage:
    """What somebody pinned to their profile, the latest pin first."""
    rows = await _rows(connection, _KEPT_PAGE["pins"], page, viewer=viewer, account=account_id)
    return await _posts(connection, stored, rows, page, viewer, cursor=WIDTH)


async def _rows(connection: Connection, statement: dict[bool, Statement], page: Page, **parameters: Any) -> list[Row]:
    rows = await connection.rows(statement[page.upwards], parameters | {"below": page.below, "above": page.above, "limit": page.limit})
    if page.upwards:
        rows.reverse()
    return rows


async def _posts(connection: Connection, stored: Stored, rows: list[Row], page: Page, viewer: int, cursor: int = 0) -> StatusPage:
    """A page of posts; `cursor` is the column to page by."""
    made = await render(connection, stored, rows, viewer)
    return StatusPage([status for status in made if status], [row[cursor] for row in rows], len(rows) == page.limit)


async def _entries(connection: Connection, stored: Stored, rows: list[Row], page: Page, viewer: int) -> StatusPage:
    made = await render_entries(connection, stored, rows, viewer)
    return StatusPage([status for status in made if status], [row[WIDTH] for row in rows], len(rows) == page.limit)
