"""Publish, edit, delete; source and history."""

from typing import Annotated

from common.api import PathId, Transaction, person
from common.attachments import attachment
from common.bodies import body, described, read_body
from common.db import Database
from common.hot import hot
from common.times import iso
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from posts import commands, domain, queries
from posts.api.bodies import Committed, EditedPost, NewPost, OptionTitle, PollSource, Removed, RevisedPoll, RevisionOut, SourceOut
from posts.commands import MediaChange
from posts.deps import PUBLISHING_HEADERS, ASite, Reader, Writer, publishing_headers, site_of
from posts.domain import Draft
from posts.states import media_state, poll_state

router = APIRouter(prefix="/api/v1/statuses", tags=["statuses"])


@router.post("", response_model=Committed, openapi_extra=described(NewPost, headers=PUBLISHING_HEADERS))
@hot
async def publish(request: Request) -> Response:
    """Publish a post. The same `Idempotency-Key` within an hour gives the same post; 422 for another one. 422 names the rule that was broken."""
    caller = await person(request, "write:statuses")
    idempotency_key, reply_author = publishing_headers(request)
    new = await read_body(request, NewPost)
    draft = Draft(
        author_id=caller.account_id,
        author_username=caller.name,
        text=new.status,
        spoiler=new.spoiler_text,
        sensitive=new.sensitive,
        visibility=new.visibility,
        language=new.language,
        media_ids=tuple(new.media_ids),
        poll=new.poll.asked() if new.poll else None,
        reply_to_id=new.in_reply_to_id,
        reply_to_account_id=reply_author,
        markdown=new.content_type != "text/plain",
        application_name=caller.app_name,
        application_website=caller.app_website,
    )
    database: Database = request.app.state.database
    if not draft.media_ids and draft.poll is None and draft.reply_to_id is None:
        async with database.brief() as connection:
            made = await commands.publish_plain_post(connection, await site_of(request), draft, idempotency_key)
        if made is not None:
            database.waker.wake()
            return Response(b'{"post_id":"%d","event":%b,"repeated":false}' % made, media_type="application/json")
    async with database.transaction() as session:
        state, repeated = await commands.publish_post(session, await site_of(request), draft, idempotency_key)
    committed = Committed(post_id=str(state.post_id), event=state, repeated=repeated)
    return Response(committed.model_dump_json(), media_type="application/json")


@router.put("/{post_id}", openapi_extra=described(EditedPost))
async def edit(
    post_id: PathId, new: Annotated[EditedPost, Depends(body(EditedPost))], caller: Writer, site: ASite, session: Transaction
) -> Committed:
    """Replace what one's own post says; earlier words stay in its history. 404 for posts of others."""
    draft = Draft(
        author_id=caller.account_id,
        author_username=caller.name,
        text=new.status,
        spoiler=new.spoiler_text,
        sensitive=new.sensitive,
        language=new.language,
        media_ids=tuple(new.media_ids),
        poll=new.poll.asked() if new.poll else None,
        markdown=new.content_type != "text/plain",
    )
    changes = [MediaChange(m.id, m.description, domain.clamp_focus(m.focus)) for m in new.media_attributes]
    state = await commands.edit_post(session, site, post_id, draft, changes)
    return Committed(post_id=str(state.post_id), event=state)


@router.delete("/{post_id}")
async def remove(post_id: PathId, caller: Writer, site: ASite, session: Transaction) -> Removed:
    """Delete one's own post; the answer holds its source. 404 for posts of others."""
    state, source = await commands.remove_post(session, site, post_id, caller.account_id)
    return Removed(event=state, **source)


@router.get("/{post_id}/source")
async def source(post_id: PathId, caller: Reader, session: Transaction) -> SourceOut:
    """What the author typed, for editing. 404 for posts of others."""
    post = await queries.own_post(session, post_id, caller.account_id)
    kind, poll = "text/markdown" if post.markdown else "text/plain", poll_state(post)
    asked = poll and PollSource(options=poll.options, expires_at=iso(poll.expires_at), multiple=poll.multiple, hide_totals=poll.hide_totals)
    return SourceOut(id=str(post.id), text=post.source, spoiler_text=post.spoiler, content_type=kind, poll=asked)


@router.get("/{post_id}/history")
async def history(post_id: PathId, site: ASite, session: Transaction) -> list[RevisionOut]:
    """What a post said over time, oldest first; the gateway has asked `social` whether the viewer may see it."""
    post, revisions = await queries.revisions_of(session, post_id)
    media, poll = await queries.media_of(session, post_id), poll_state(post)
    earlier = [
        RevisionOut(
            content=row.html,
            spoiler_text=row.spoiler,
            sensitive=row.sensitive,
            created_at=iso(row.written_at),
            media_attachments=row.media,
            poll=_revised(row.poll_options),
        )
        for row in revisions
    ]
    newest = RevisionOut(
        content=post.html,
        spoiler_text=post.spoiler,
        sensitive=post.sensitive,
        created_at=iso(post.edited_at or post.created_at),
        media_attachments=[attachment(media_state(row, site.public_url)) for row in media],
        poll=_revised(poll.options if poll else None),
    )
    return [*earlier, newest]


def _revised(options: list[str] | None) -> RevisedPoll | None:
    return None if options is None else RevisedPoll(options=[OptionTitle(title=option) for option in options])
