"""Rows as events: what a post and its pictures look like outside."""

from collections.abc import Sequence

from common.events import MediaState, PollState, PostState, TagState

from posts.tables import MediaRow, PostRow

MEDIA_PATH = "/media/posts"


def post_state(post: PostRow, media: Sequence[MediaRow], public_url: str) -> PostState:
    """The whole public state of a post; of a deleted one only that it is gone."""
    if post.deleted_at is not None:
        return PostState(
            post_id=post.id,
            version=post.version,
            deleted=True,
            author_id=post.author_id,
            author_username=post.author_username,
            created_at=post.created_at,
            visibility=post.visibility,
            reply_to_id=post.reply_to_id,
            reply_to_account_id=post.reply_to_account_id,
            conversation_id=_conversation(post),
        )
    return PostState(
        post_id=post.id,
        version=post.version,
        author_id=post.author_id,
        author_username=post.author_username,
        created_at=post.created_at,
        edited_at=post.edited_at,
        visibility=post.visibility,
        html=post.html,
        plain=post.plain,
        spoiler=post.spoiler,
        sensitive=post.sensitive,
        language=post.language,
        reply_to_id=post.reply_to_id,
        reply_to_account_id=post.reply_to_account_id,
        conversation_id=_conversation(post),
        usernames=[entry["name"] for entry in post.usernames],
        tags=[TagState(**entry) for entry in post.tags],
        media=[media_state(row, public_url) for row in media],
        poll=poll_state(post),
        application_name=post.application_name,
        application_website=post.application_website,
    )


def poll_state(post: PostRow) -> PollState | None:
    return None if post.poll is None else PollState.model_validate(post.poll)


def _conversation(post: PostRow) -> int | None:
    """Only answers keep whose thread they are in; of those that the version before wrote it isn't known."""
    return post.id if post.reply_to_id is None else post.conversation_id


def media_state(row: MediaRow, public_url: str) -> MediaState:
    return MediaState(
        media_id=row.id,
        url=f"{public_url}{MEDIA_PATH}/{row.file}",
        preview_url=f"{public_url}{MEDIA_PATH}/{row.preview_file}",
        description=row.description,
        blurhash=row.blurhash,
        width=row.width,
        height=row.height,
        preview_width=row.preview_width,
        preview_height=row.preview_height,
        focus_x=row.focus_x,
        focus_y=row.focus_y,
    )
