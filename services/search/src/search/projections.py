"""Events as documents."""

import re
from collections.abc import Iterable
from typing import Final

from common.events import PostState, ProfileState

from search.analysis import terms, tokens
from search.index import Document

_LINK: Final = re.compile(r"https?://\w")


def of_post(post: PostState) -> Iterable[Document]:
    """A public post and its hashtags; of any other, and of a deleted one, only that it is gone."""
    if post.deleted or post.visibility != "public":
        yield Document("posts", str(post.post_id), post.version, {"deleted": True, "version": post.version})
        return
    captions = [media.description for media in post.media if media.description]
    options = post.poll.options if post.poll else []
    text = "\n".join(part for part in (post.spoiler, post.plain, *options, *captions) if part)
    yield Document(
        "posts",
        str(post.post_id),
        post.version,
        {
            "text": text,
            **terms("\n".join((text, *(tag.name for tag in post.tags))), post.language),
            "length": sum(1 for _ in tokens(text)),
            "post_id": post.post_id,
            "author_id": str(post.author_id),
            "username": post.author_username,
            "tags": [tag.name for tag in post.tags],
            "language": post.language,
            "created_at": post.created_at.isoformat(),
            "reply": post.reply_to_id is not None,
            "media": bool(post.media),
            "poll": post.poll is not None,
            "link": _LINK.search(post.plain) is not None,
            "version": post.version,
            "deleted": False,
        },
    )
    for tag in post.tags:
        # The post's id grows with time: the latest use wins.
        yield Document("hashtags", tag.name, post.post_id, {"name": tag.name, "used_at": post.created_at.isoformat()})


def of_profile(profile: ProfileState) -> Iterable[Document]:
    """A profile that may be found; of any other only that it is gone."""
    if profile.deleted or not profile.shown or not profile.discoverable:
        yield Document("accounts", str(profile.account_id), profile.version, {"deleted": True})
        return
    yield Document(
        "accounts",
        str(profile.account_id),
        profile.version,
        {
            "username": profile.username,
            "name": profile.display_name or profile.username,
            "note": profile.plain_note,
            "followers": profile.followers_count,
            "deleted": False,
        },
    )
