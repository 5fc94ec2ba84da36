"""Statuses as JSON for one viewer: one statement a page, put together from bytes that are ready."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from common.ids import time_of
from common.statements import Connection, Row, Statement

from social.rendering import fragments, rules
from social.rendering.polls import POLL, poll
from social.rendering.rules import Rules
from social.rendering.stored import Stored, StoredPost
from social.rendering.visibility import BOOST_SEEN, MAY_FIND, MAY_SEE, WANTS_TO_SEE

COLUMNS: Final = f"""
    s.post_id, s.xmin, s.author_id, p.xmin,
    coalesce(n.replies, 0), coalesce(n.reblogs, 0), coalesce(n.favourites, 0),
    coalesce(pc.statuses, 0), coalesce(pc.followers, 0), coalesce(pc.following, 0), pc.last_status_on::text,
    (SELECT 1 FROM favourites v WHERE v.account_id = %(viewer)s AND v.post_id = s.post_id) IS NOT NULL,
    (SELECT 1 FROM boosts v WHERE v.account_id = %(viewer)s AND v.post_id = s.post_id) IS NOT NULL,
    (SELECT 1 FROM bookmarks v WHERE v.account_id = %(viewer)s AND v.post_id = s.post_id) IS NOT NULL,
    s.author_id = %(viewer)s AND (SELECT 1 FROM pins v WHERE v.account_id = %(viewer)s AND v.post_id = s.post_id) IS NOT NULL,
    (SELECT v.version FROM viewers v WHERE v.account_id = %(viewer)s),
    {POLL}
"""
JOINS: Final = """
    JOIN profiles p ON p.account_id = s.author_id
    LEFT JOIN profile_counts pc ON pc.account_id = s.author_id
    LEFT JOIN post_counts n ON n.post_id = s.post_id
"""
WIDTH: Final = 17
"""How many columns `COLUMNS` has; what a statement adds begins there."""
_RULES: Final = 15
"""The version of what the viewer set up: the same in every row, and looked up once."""
_POLL: Final = 16

ENTRY_COLUMNS: Final = """
    e.entry_id, e.booster_id, b.xmin,
    coalesce(bc.statuses, 0), coalesce(bc.followers, 0), coalesce(bc.following, 0), bc.last_status_on::text
"""
ENTRY_JOINS: Final = """
    LEFT JOIN profiles b ON b.account_id = e.booster_id
    LEFT JOIN profile_counts bc ON bc.account_id = e.booster_id
"""
ENTRY_WIDTH: Final = WIDTH + 7
"""For entries `e` that may be boosts: seven columns after those of the status."""

_BY_IDS: Final = f"""
    SELECT {COLUMNS}, s.version FROM snapshots s {JOINS}
    WHERE s.post_id = ANY(%(ids)s) AND {{rule}}
"""

_BOOSTS_BY_IDS: Final = f"""
    SELECT {COLUMNS}, {ENTRY_COLUMNS}, s.version
    FROM (SELECT o.id AS entry_id, o.post_id, o.account_id AS booster_id FROM boosts o WHERE o.id = ANY(%(ids)s) AND {BOOST_SEEN}) e
    JOIN snapshots s ON s.post_id = e.post_id {JOINS} {ENTRY_JOINS}
    WHERE {{rule}} AND b.shown
"""
OPEN: Final = "open"
LISTED: Final = "listed"
FOUND: Final = "found"
_BY_RULE: Final = {
    name: tuple(Statement(statement.replace("{rule}", condition)) for statement in (_BY_IDS, _BOOSTS_BY_IDS))
    for name, condition in ((OPEN, MAY_SEE), (LISTED, WANTS_TO_SEE), (FOUND, MAY_FIND))
}
"""Statuses by id are opened, stand among others in a thread, or were found by what they say."""

_TRUTH: Final = {False: b"false", True: b"true"}


async def render(connection: Connection, stored: Stored, rows: Sequence[Row], viewer: int) -> list[bytes | None]:
    """A Status for each row of `COLUMNS`; None where a post went away meanwhile."""
    posts = await stored.posts(connection, {(row[0], row[1]) for row in rows})
    people = await stored.people(connection, {(row[2], row[3]) for row in rows})
    marks = await _marks(connection, stored, rows, viewer, posts)
    return [_status(row, viewer, posts, people, marks) for row in rows]


async def render_entries(connection: Connection, stored: Stored, rows: Sequence[Row], viewer: int) -> list[bytes | None]:
    """A Status for each row of `COLUMNS` and `ENTRY_COLUMNS`: boosts wrap what was boosted."""
    posts = await stored.posts(connection, {(row[0], row[1]) for row in rows})
    everybody = {(row[2], row[3]) for row in rows} | {(row[WIDTH + 1], row[WIDTH + 2]) for row in rows if row[WIDTH + 2] is not None}
    people = await stored.people(connection, everybody)
    marks = await _marks(connection, stored, rows, viewer, posts)
    return [_entry(row, viewer, posts, people, marks, stored.public_url) for row in rows]


async def by_ids(
    connection: Connection, stored: Stored, ids: Sequence[int], viewer: int, rule: str = OPEN, first: Statement | None = None
) -> dict[int, tuple[bytes, int]]:
    """Statuses (posts or boosts) by id with the version of the post, those that the viewer may see; `first` is carried out before."""
    if not ids:
        return {}
    posts, boosts = _BY_RULE[rule]
    asked = {"ids": ids, "viewer": viewer}
    rows = (await connection.together((first, {}), (posts, asked)))[1] if first else await connection.rows(posts, asked)
    found = {row[0]: (made, row[WIDTH]) for row, made in zip(rows, await render(connection, stored, rows, viewer), strict=True) if made}
    missing = [an_id for an_id in ids if an_id not in found]
    if missing:
        rows = await connection.rows(boosts, {"ids": missing, "viewer": viewer})
        rendered = await render_entries(connection, stored, rows, viewer)
        found |= {row[WIDTH]: (made, row[ENTRY_WIDTH]) for row, made in zip(rows, rendered, strict=True) if made}
    return found


async def in_order(connection: Connection, stored: Stored, ids: Sequence[int], viewer: int, rule: str = OPEN) -> bytes:
    """A JSON array of statuses in the order of the ids; what the viewer may not see is left out."""
    found = await by_ids(connection, stored, ids, viewer, rule)
    return fragments.join([found[an_id][0] for an_id in ids if an_id in found])


Posts = Mapping[int, StoredPost]
People = Mapping[int, tuple[str, bytes]]
Marks = Callable[[Row], tuple[bytes, bytes]]
"""What a viewer's own rules make of a post: whether its thread is muted, and the FilterResults."""

_UNMARKED: Final = (_TRUTH[False], rules.NONE)


async def _marks(connection: Connection, stored: Stored, rows: Sequence[Row], viewer: int, posts: Posts) -> Marks:
    found = await stored.viewers.rules(connection, viewer, rows[0][_RULES]) if rows else None
    return _unmarked if found is None else partial(_marked, found, stored, viewer, posts)


def _unmarked(row: Row) -> tuple[bytes, bytes]:
    return _UNMARKED


def _marked(found: Rules, stored: Stored, viewer: int, posts: Posts, row: Row) -> tuple[bytes, bytes]:
    post, row_version = posts[row[0]], (row[0], row[1])
    # What one wrote oneself is never filtered.
    filtered = (
        rules.NONE if row[2] == viewer else found.filtered(row_version, lambda: stored.text(row_version, _content(post, row, viewer)))
    )
    return _TRUTH[found.mutes(post[2])], filtered


def _entry(row: Row, viewer: int, posts: Posts, people: People, marks: Marks, public_url: str) -> bytes | None:
    status, booster_id = _status(row, viewer, posts, people, marks), row[WIDTH + 1]
    if booster_id is None or status is None:
        return status
    booster = people.get(booster_id)
    if booster is None:
        return None
    head = fragments.status_head(row[WIDTH], time_of(row[WIDTH]), booster[0], public_url)
    account = fragments.account(booster[1], *row[WIDTH + 3 : WIDTH + 7])
    return _assemble(head, _content(posts[row[0]], row, viewer), row, _flags(row, viewer, marks, own=False), account, status)


def _status(row: Row, viewer: int, posts: Posts, people: People, marks: Marks) -> bytes | None:
    post, author = posts.get(row[0]), people.get(row[2])
    if post is None or author is None:
        return None
    return _assemble(
        post[0], _content(post, row, viewer), row, _flags(row, viewer, marks), fragments.account(author[1], *row[7:11]), b"null"
    )


def _content(post: StoredPost, row: Row, viewer: int) -> bytes:
    """What a post says, with its poll as it stands for the viewer."""
    return post[1] if row[_POLL] is None else post[1].removesuffix(fragments.NO_POLL) + poll(row[_POLL], viewer)


def _assemble(head: bytes, content: bytes, row: Row, flags: bytes, account: bytes, reblog: bytes) -> bytes:
    return b'{%b,%b,"replies_count":%d,"reblogs_count":%d,"favourites_count":%d,"quotes_count":0,"account":%b%b,"reblog":%b}' % (
        head,
        content,
        row[4],
        row[5],
        row[6],
        account,
        flags,
        reblog,
    )


def _flags(row: Row, viewer: int, marks: Marks, *, own: bool = True) -> bytes:
    """What only a viewer who is logged in has, by the API's definition."""
    if not viewer:
        return b""
    flags = b',"favourited":%b,"reblogged":%b,"bookmarked":%b,"muted":%b,"filtered":%b' % (
        _TRUTH[row[11]],
        _TRUTH[row[12]],
        _TRUTH[row[13]],
        *marks(row),
    )
    return flags + b',"pinned":' + _TRUTH[row[14]] if own and row[2] == viewer else flags
