"""Changing profiles: by their owners, and by what `auth` tells of accounts."""

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson
from common import outbox
from common.errors import NotFound
from common.events import AccountState, ProfileState
from common.markdown import render
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from social.erasing import erase_alone
from social.feeds.returning import open_feed
from social.polls.commands import forget_votes
from social.profiles import domain
from social.rendering import fragments

_UPSERT = text("""
    INSERT INTO profiles AS p (account_id, username, role, created_at, shown, account_version, bot)
    VALUES (:account_id, :username, :role, :created_at, :shown, :account_version, :bot)
    ON CONFLICT (account_id) DO UPDATE SET
        username = EXCLUDED.username, role = EXCLUDED.role, shown = EXCLUDED.shown,
        account_version = EXCLUDED.account_version, version = p.version + 1
    WHERE p.account_version < EXCLUDED.account_version
    RETURNING *
""")
_ERASE = text("""
    UPDATE profiles SET username = 'deleted_' || account_id, display_name = '', note_source = '', note_html = '', note_plain = '', fields = '[]',
        avatar = NULL, avatar_description = '', header = NULL, header_description = '' WHERE account_id = :account_id RETURNING *
""")
_LOCK = text("SELECT * FROM profiles WHERE account_id = :account_id AND shown FOR UPDATE")
_UNLOCKED = text("INSERT INTO unlocked_profiles (account_id) VALUES (:account_id) ON CONFLICT DO NOTHING")
_LOCKED = text("DELETE FROM unlocked_profiles WHERE account_id = :account_id")
_UNUSED = text("INSERT INTO unused_pictures (name) VALUES (:name) ON CONFLICT DO NOTHING")
_FOLLOWERS = text("SELECT followers FROM profile_counts WHERE account_id = :account_id")
_COLUMNS: Final = frozenset(
    """
    display_name note_source note_html note_plain fields avatar avatar_description header header_description
    locked bot discoverable indexable hide_collections default_visibility default_sensitive default_language
    """.split()
)


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """What an owner wants changed; None leaves a thing as it is. Pictures are names of files that lie in the store already; "" takes one away.

    What a picture shows is said of this picture: another one without a description has none.
    """

    display_name: str | None = None
    note: str | None = None
    fields: list[tuple[str, str]] | None = None
    avatar: str | None = None
    avatar_description: str | None = None
    header: str | None = None
    header_description: str | None = None
    locked: bool | None = None
    bot: bool | None = None
    discoverable: bool | None = None
    indexable: bool | None = None
    hide_collections: bool | None = None
    default_visibility: str | None = None
    default_sensitive: bool | None = None
    default_language: str | None = None


async def apply_account(session: AsyncSession, account: AccountState, public_url: str) -> bool:
    """Keep the newest state of an account as the ground of its profile; True if this one was new."""
    values = {
        "account_id": account.account_id,
        "username": account.username,
        "role": account.role,
        "created_at": account.created_at,
        "shown": account.visible,
        "account_version": account.version,
        "bot": account.bot,
    }
    if account.deleted:
        await erase_alone(session)
    row = (await session.execute(_UPSERT, values)).first()
    if row is None:
        return False
    if account.deleted:
        await _leave_pictures(session, row.avatar, row.header)
        row = (await session.execute(_ERASE, {"account_id": account.account_id})).one()
        await _erase(session, account.account_id)
    else:
        await open_feed(session, account.account_id)
    await _finish(session, row, public_url, "profile.account_changed", deleted=account.deleted)
    return True


async def change_profile(session: AsyncSession, account_id: int, change: ProfileChange, public_url: str) -> None:
    """Change one's own profile. Raises the errors of `domain`, `NotFound`.

    Pictures that took another's place are left to `profiles.sweeping`. Whoever is locked no more is followed by those who asked to; `graph.granting` sees to it.
    """
    before = (await session.execute(_LOCK, {"account_id": account_id})).first()
    if before is None:
        raise NotFound
    values = _values(change, public_url)
    if not values:
        return
    assert values.keys() <= _COLUMNS  # noqa: S101 - names go into the statement
    assignments = ", ".join(f"{name} = CAST(:{name} AS jsonb)" if name == "fields" else f"{name} = :{name}" for name in values)
    statement = text(f"UPDATE profiles SET {assignments}, version = version + 1 WHERE account_id = :account_id RETURNING *")
    row = (await session.execute(statement, {**values, "account_id": account_id})).one()
    if before.locked != row.locked:
        await session.execute(_LOCKED if row.locked else _UNLOCKED, {"account_id": account_id})
    await _leave_pictures(session, *({before.avatar, before.header} - {row.avatar, row.header}))
    await _finish(session, row, public_url, "profile.changed")


def check(change: ProfileChange, public_url: str) -> None:
    """Raise the error of `domain` that the change would end with."""
    _values(change, public_url)


def _values(change: ProfileChange, public_url: str) -> dict[str, Any]:
    """The columns that change, checked and rendered."""
    values: dict[str, Any] = {}
    if change.display_name is not None:
        values["display_name"] = domain.check_name(change.display_name)
    if change.note is not None:
        rendered = render(domain.check_note(change.note), public_url)
        values |= {"note_source": domain.check_note(change.note), "note_html": rendered.html, "note_plain": rendered.plain}
    if change.fields is not None:
        fields = domain.check_fields(change.fields)
        values["fields"] = orjson.dumps(
            [{"name": name, "source": value, "html": _field_html(value, public_url)} for name, value in fields]
        ).decode()
    for name in ("avatar", "header"):
        picture, description = getattr(change, name), getattr(change, f"{name}_description")
        if picture is not None:
            values[name] = picture or None
        if picture is not None or description is not None:
            values[f"{name}_description"] = "" if picture == "" else domain.check_description(name, description or "")
    for name in ("locked", "bot", "discoverable", "indexable", "hide_collections", "default_sensitive"):
        switch = getattr(change, name)
        if switch is not None:
            values[name] = switch
    if change.default_visibility is not None:
        values["default_visibility"] = domain.check_visibility(change.default_visibility)
    if change.default_language is not None:
        values["default_language"] = change.default_language or None
    return values


def _field_html(value: str, public_url: str) -> str:
    """A field is one line: links and names, no paragraphs."""
    return re.sub(r"</?p>", "", render(value.replace("\n", " "), public_url, markdown=False).html)


async def _leave_pictures(session: AsyncSession, *names: str | None) -> None:
    """Have files deleted that no profile names any more."""
    for name in names:
        if name is not None:
            await session.execute(_UNUSED, {"name": name})


async def _finish(session: AsyncSession, row: Any, public_url: str, happened: str, *, deleted: bool = False) -> None:
    """Store the ready JSON and announce the new state."""
    await session.execute(
        text("UPDATE profiles SET head = :head WHERE account_id = :account_id"),
        {"head": fragments.account_head(row, public_url), "account_id": row.account_id},
    )
    followers = await session.scalar(_FOLLOWERS, {"account_id": row.account_id})
    await outbox.add(session, profile_state(row, followers or 0, deleted=deleted), happened=happened)


def profile_state(row: Any, followers: int, *, deleted: bool = False) -> ProfileState:
    """The event that tells of a row of `profiles`."""
    return ProfileState(
        account_id=row.account_id,
        version=row.version,
        deleted=deleted,
        username=row.username,
        display_name=row.display_name,
        plain_note=row.note_plain,
        shown=row.shown,
        bot=row.bot,
        locked=row.locked,
        discoverable=row.discoverable,
        indexable=row.indexable,
        followers_count=followers,
        created_at=row.created_at,
        default_visibility=row.default_visibility,
        default_sensitive=row.default_sensitive,
        default_language=row.default_language,
    )


async def _erase(session: AsyncSession, account_id: int) -> None:
    """Forget what a deleted account did and whom it knew; its posts are deleted by `posts`."""
    await forget_votes(session, account_id)
    only = {"account": account_id}
    for lock in _LOCK_COUNTS:
        await session.execute(lock, only)
    for counted, table, column in (("followers", "follows", "follower_id"), ("following", "follows", "followed_id")):
        other = "followed_id" if column == "follower_id" else "follower_id"
        await session.execute(
            text(
                f"UPDATE profile_counts SET {counted} = {counted} - 1 WHERE account_id IN (SELECT {other} FROM {table} WHERE {column} = :account)"
            ),
            only,
        )
    for counted, table in (("favourites", "favourites"), ("reblogs", "boosts")):
        await session.execute(
            text(
                f"UPDATE post_counts SET {counted} = {counted} - 1 WHERE post_id IN (SELECT post_id FROM {table} WHERE account_id = :account)"
            ),
            only,
        )
    for table, columns in _PERSONAL.items():
        for column in columns:
            await session.execute(text(f"DELETE FROM {table} WHERE {column} = :account"), only)


_LOCK_COUNTS: Final = (
    text("""
        SELECT 1 FROM profile_counts WHERE account_id IN (
            SELECT followed_id FROM follows WHERE follower_id = :account UNION SELECT follower_id FROM follows WHERE followed_id = :account
        ) ORDER BY account_id FOR UPDATE
    """),
    text("""
        SELECT 1 FROM post_counts WHERE post_id IN (
            SELECT post_id FROM favourites WHERE account_id = :account UNION SELECT post_id FROM boosts WHERE account_id = :account
        ) ORDER BY post_id FOR UPDATE
    """),
)
"""Counts are locked in the order in which everybody locks them, before any is changed."""

_PERSONAL: Final = {
    "list_members": ("account_id",),
    "lists": ("owner_id",),
    "followed_tags": ("account_id",),
    "feeds": ("owner_id",),
    "pulled_authors": ("author_id",),
    "follows": ("follower_id", "followed_id"),
    "follow_requests": ("follower_id", "followed_id"),
    "blocks": ("blocker_id", "blocked_id"),
    "mutes": ("muter_id", "muted_id"),
    "endorsements": ("account_id", "endorsed_id"),
    "featured_tags": ("account_id",),
    "dismissed_suggestions": ("account_id", "dismissed_id"),
    "unlocked_profiles": ("account_id",),
    "favourites": ("account_id",),
    "bookmarks": ("account_id",),
    "pins": ("account_id",),
    "account_notes": ("author_id", "about_id"),
    "boosts": ("account_id",),
    "mentions": ("account_id",),
    "filters": ("account_id",),
    "muted_threads": ("account_id",),
    "viewers": ("account_id",),
    "conversations": ("account_id",),
    "profile_counts": ("account_id",),
    "feed_entries": ("owner_id", "booster_id"),
}
"""In the order in which lists change: who is in them, who is followed, what is in feeds."""
