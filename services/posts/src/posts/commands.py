"""Publishing, editing and removing posts: the change and its announcement in one transaction."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from common import outbox
from common.attachments import attachment
from common.events import PostState
from common.images import Prepared
from common.markdown import Rendered, render
from common.statements import Connection, Statement
from common.times import now
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from posts import domain, language, queries
from posts.domain import Draft
from posts.states import media_state, poll_state, post_state
from posts.tables import AuthorRow, IdempotencyRow, MediaRow, PostRow, RevisionRow

_LONG_TEXT: Final = 2000
"""From this length on, rendering leaves the event loop; below it the thread costs more than the work."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where posts are shown and how long they may be."""

    public_url: str
    max_characters: int


@dataclass(frozen=True, slots=True)
class MediaChange:
    """A new alt text or focal point for a picture of one's own."""

    media_id: int
    description: str | None = None
    focus: tuple[float, float] | None = None


async def publish_post(session: AsyncSession, site: Site, draft: Draft, idempotency_key: str | None = None) -> tuple[PostState, bool]:
    """Publish a post and return its state, and whether the key had made it before: then nothing was written.

    A second request with the same key waits for the first to end. Raises the errors of `domain`, `KeyReused` if it wants something else.
    """
    domain.check(draft, site.max_characters)
    if idempotency_key is not None:
        earlier = await _earlier_post(session, draft, idempotency_key)
        if earlier is not None:
            return post_state(earlier, await queries.media_of(session, earlier.id), site.public_url), True
    author = await queries.author(session, draft.author_id)
    if author.erased:
        raise domain.AuthorGone
    poll = None if draft.poll is None else domain.poll_at(now(), draft.poll, version=1)
    post = await _new_post(draft, site, author)
    post.conversation_id = await queries.conversation_of(session, draft.reply_to_id)
    post.poll = poll.model_dump(mode="json") if poll else None
    session.add(post)
    await session.flush()
    media = await _attach(session, post.id, draft.author_id, draft.media_ids, current=[])
    if idempotency_key is not None:
        await session.execute(
            update(IdempotencyRow)
            .where(IdempotencyRow.account_id == draft.author_id, IdempotencyRow.key == idempotency_key)
            .values(post_id=post.id)
        )
    state = post_state(post, media, site.public_url)
    await outbox.add(session, state, happened="post.published")
    return state, False


async def publish_plain_post(
    connection: Connection, site: Site, draft: Draft, idempotency_key: str | None = None
) -> tuple[int, bytes] | None:
    """Publish a post that answers nobody and has neither pictures nor a poll, in two round trips; return its id and its event's body.

    None, and nothing is written, where the key had made a post before. Whoever calls wakes the relay. Raises the errors of `domain`.
    """
    domain.check(draft, site.max_characters)
    post_id, created_at, author = await queries.next_post(connection, draft.author_id)
    if author.erased:
        raise domain.AuthorGone
    post = await _new_post(draft, site, author)
    post.id, post.created_at = post_id, created_at
    event = outbox.row(post_state(post, [], site.public_url), "post.published")
    values = {column: getattr(post, column) for column in _PLAIN_COLUMNS}
    values |= {"usernames": orjson.dumps(post.usernames).decode(), "tags": orjson.dumps(post.tags).decode()}
    values |= {f"event_{name}": value for name, value in event.items()}
    values |= {"key": idempotency_key, "wish": domain.fingerprint(draft) if idempotency_key is not None else None}
    return (post_id, event["body"]) if await connection.rows(_PUBLISH, values) else None


_PLAIN_COLUMNS: Final = {
    column: kind
    for kind, columns in {
        "bigint": "id author_id version",
        "text": "author_username visibility source html plain spoiler language application_name application_website",
        "boolean": "markdown sensitive",
        "timestamptz": "created_at",
        "jsonb": "usernames tags",
    }.items()
    for column in columns.split()
}
_EVENT_COLUMNS: Final = {
    "event_id": "uuid",
    **dict.fromkeys(("topic", "key", "type", "schema", "traceparent"), "text"),
    "happened_at": "timestamptz",
    "body": "bytea",
    "durable": "boolean",
}


def _places(columns: Mapping[str, str], prefix: str = "") -> str:
    return ", ".join(f"%({prefix}{name})s::{kind}" for name, kind in columns.items())


_PUBLISH: Final = Statement(f"""
    WITH reserved AS (
        INSERT INTO idempotency (account_id, key, post_id, draft)
        SELECT %(author_id)s::bigint, %(key)s::text, %(id)s::bigint, %(wish)s::bytea WHERE %(key)s::text IS NOT NULL
        ON CONFLICT DO NOTHING RETURNING post_id
    ), published AS (
        INSERT INTO posts ({", ".join(_PLAIN_COLUMNS)}) SELECT {_places(_PLAIN_COLUMNS)}
        WHERE %(key)s::text IS NULL OR EXISTS (SELECT FROM reserved) RETURNING id
    )
    INSERT INTO outbox ({", ".join(_EVENT_COLUMNS)}) SELECT {_places(_EVENT_COLUMNS, "event_")} FROM published RETURNING id
""")


async def edit_post(session: AsyncSession, site: Site, post_id: int, draft: Draft, changes: Sequence[MediaChange] = ()) -> PostState:
    """Replace what a post says, keep what it said, and return its new state; visibility and thread stay.

    An edit that changes nothing makes no revision; one that names no poll takes it away. Raises `NotFound` for posts of others, and the errors of `domain`.
    """
    domain.check(draft, site.max_characters)
    post = await queries.own_post(session, post_id, draft.author_id, lock=True)
    pictures = await queries.media_of(session, post_id)
    before = post_state(post, pictures, site.public_url)
    for change in changes:
        await change_media(session, draft.author_id, change, within_post=post_id)
    media = await _attach(session, post_id, draft.author_id, draft.media_ids, current=pictures)
    rendered, detected = await _rendered(draft.text, site, markdown=draft.markdown, detect=draft.language is None)
    post.source, post.markdown, post.html, post.plain = draft.text, draft.markdown, rendered.html, rendered.plain
    post.spoiler = draft.spoiler.strip()
    post.sensitive = bool(post.spoiler) or (post.sensitive if draft.sensitive is None else draft.sensitive)
    post.language = draft.language or detected or post.language
    post.usernames = [{"name": name} for name in rendered.usernames]
    post.tags = [{"name": name, "display": display} for name, display in rendered.tags.items()]
    poll = None if draft.poll is None else domain.poll_at(now(), draft.poll, version=post.version + 1, before=before.poll)
    post.poll = poll.model_dump(mode="json") if poll else None
    if post_state(post, media, site.public_url) == before:
        return before
    session.add(
        RevisionRow(
            post_id=post_id,
            version=before.version,
            written_at=before.edited_at or before.created_at,
            html=before.html,
            spoiler=before.spoiler,
            sensitive=before.sensitive,
            media=[attachment(picture) for picture in before.media],
            poll_options=before.poll.options if before.poll else None,
        )
    )
    post.version += 1
    post.edited_at = await session.scalar(select(func.clock_timestamp()))
    state = post_state(post, media, site.public_url)
    await outbox.add(session, state, happened="post.edited")
    return state


async def remove_post(session: AsyncSession, site: Site, post_id: int, author_id: int) -> tuple[PostState, dict[str, Any]]:
    """Take a post's words away for ever; return its last state and its source, for those who delete to write it again.

    Its pictures become loose, so that the new post can take them. Raises `NotFound` for posts of others.
    """
    post = await queries.own_post(session, post_id, author_id, lock=True)
    media = await queries.media_of(session, post_id)
    source = {
        "text": post.source,
        "spoiler": post.spoiler,
        "media": [attachment(media_state(row, site.public_url)) for row in media],
        "poll": poll_state(post),
    }
    await session.execute(update(MediaRow).where(MediaRow.post_id == post_id).values(post_id=None, loose_since=func.now()))
    await session.execute(delete(RevisionRow).where(RevisionRow.post_id == post_id))
    post.deleted_at = await session.scalar(select(func.clock_timestamp()))
    post.version += 1
    post.source = post.html = post.plain = post.spoiler = ""
    post.usernames, post.tags, post.poll = [], [], None
    state = post_state(post, [], site.public_url)
    await outbox.add(session, state, happened="post.deleted")
    return state, source


async def add_media(
    session: AsyncSession, owner_id: int, name: str, prepared: Prepared, description: str | None, focus: str | None
) -> MediaRow:
    """Keep a picture whose files lie under `name` already; raises `DescriptionTooLong`."""
    x, y = domain.clamp_focus(focus) or (0.0, 0.0)
    row = MediaRow(
        owner_id=owner_id,
        file=f"{name}.{prepared.original.suffix}",
        preview_file=f"{name}-small.{prepared.preview.suffix}",
        width=prepared.original.width,
        height=prepared.original.height,
        preview_width=prepared.preview.width,
        preview_height=prepared.preview.height,
        description=domain.check_description(description),
        blurhash=prepared.blurhash,
        focus_x=x,
        focus_y=y,
    )
    session.add(row)
    await session.flush()
    return row


async def change_media(session: AsyncSession, owner_id: int, change: MediaChange, within_post: int | None = None) -> MediaRow:
    """Give a loose picture, or one of the post that is being edited, another alt text or focal point. Raises `NotFound`, `MediaInUse`."""
    row = await queries.own_media(session, change.media_id, owner_id)
    if row.post_id is not None and row.post_id != within_post:
        raise domain.MediaInUse
    if change.description is not None:
        row.description = domain.check_description(change.description)
    if change.focus is not None:
        row.focus_x, row.focus_y = change.focus
    return row


async def remove_media(session: AsyncSession, owner_id: int, media_id: int) -> tuple[str, str]:
    """Forget a loose picture and return the names of its files. Raises `NotFound`, `MediaInUse`."""
    row = await queries.own_media(session, media_id, owner_id)
    if row.post_id is not None:
        raise domain.MediaInUse
    await session.delete(row)
    return row.file, row.preview_file


async def _new_post(draft: Draft, site: Site, author: AuthorRow) -> PostRow:
    """A post as it will be written, but for what only the database knows."""
    rendered, detected = await _rendered(draft.text, site, markdown=draft.markdown, detect=draft.language is None)
    return PostRow(
        author_id=draft.author_id,
        author_username=draft.author_username,
        version=1,
        visibility=draft.visibility or author.visibility,
        source=draft.text,
        markdown=draft.markdown,
        html=rendered.html,
        plain=rendered.plain,
        spoiler=draft.spoiler.strip(),
        sensitive=bool(draft.spoiler.strip()) or (author.sensitive if draft.sensitive is None else draft.sensitive),
        language=draft.language or detected or author.language,
        reply_to_id=draft.reply_to_id,
        reply_to_account_id=draft.reply_to_account_id,
        usernames=[{"name": name} for name in rendered.usernames],
        tags=[{"name": name, "display": display} for name, display in rendered.tags.items()],
        application_name=draft.application_name,
        application_website=draft.application_website,
    )


async def _earlier_post(session: AsyncSession, draft: Draft, key: str) -> PostRow | None:
    """Reserve the key, or return the post that it made; raises `KeyReused` if that was to say something else."""
    wish = domain.fingerprint(draft)
    new = insert(IdempotencyRow).values(account_id=draft.author_id, key=key, draft=wish)
    if (await session.execute(new.on_conflict_do_nothing().returning(IdempotencyRow.key))).first() is not None:
        return None
    row = await session.get(IdempotencyRow, (draft.author_id, key))
    if row is None or row.post_id is None:
        return None
    if row.draft not in (None, wish):
        raise domain.KeyReused
    return await session.get(PostRow, row.post_id)


async def _rendered(text: str, site: Site, *, markdown: bool, detect: bool) -> tuple[Rendered, str | None]:
    def work() -> tuple[Rendered, str | None]:
        rendered = render(text, site.public_url, markdown=markdown)
        return rendered, language.detect(rendered.plain) if detect else None

    return await asyncio.to_thread(work) if len(text) > _LONG_TEXT else work()


async def _attach(
    session: AsyncSession, post_id: int, owner_id: int, media_ids: Sequence[int], current: Sequence[MediaRow]
) -> list[MediaRow]:
    """Make exactly these the post's pictures, in this order, in place of the current ones. Raises `UnknownMedia`."""
    for dropped in current:
        if dropped.id not in media_ids:
            dropped.post_id = None
            dropped.loose_since = func.now()
    if not media_ids:
        return []
    statement = select(MediaRow).where(MediaRow.id.in_(media_ids), MediaRow.owner_id == owner_id).with_for_update()
    found = {row.id: row for row in await session.scalars(statement)}
    ordered = [found[media_id] for media_id in dict.fromkeys(media_ids) if media_id in found]
    if len(ordered) != len(set(media_ids)) or any(row.post_id not in (None, post_id) for row in ordered):
        raise domain.UnknownMedia
    for position, row in enumerate(ordered):
        row.post_id, row.position = post_id, position
    return ordered
