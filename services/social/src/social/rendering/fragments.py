"""JSON fragments of posts and accounts, made when they change and stored ready to send."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from common.addresses import profile_url, status_url, tag_url
from common.attachments import attachment
from common.events import PostState
from common.times import iso

NO_POLL: Final = b"null"
"""What stored content ends with; a poll takes its place."""

_MENTION: Final = re.compile(r'<span class="h-card"><a href="[^"]*/@([a-z0-9_]+)" class="u-url mention">(@<span>[^<]*</span>)</a></span>')


def status_head(entry_id: int, created_at: datetime, username: str, public_url: str) -> bytes:
    """The part of a Status that a boost has of its own: id, time, addresses."""
    address = status_url(public_url, username, entry_id)
    head = {"id": str(entry_id), "created_at": iso(created_at), "uri": address, "url": address}
    return orjson.dumps(head)[1:-1]


def status_content(post: PostState, people: Mapping[str, int], public_url: str) -> bytes:
    """The part of a Status that all viewers share; `people` maps mentioned names that exist to their account ids.

    Its poll, which it ends with, is null: `rendering.polls` fills it in.
    """
    content = {
        "in_reply_to_id": _id(post.reply_to_id),
        "in_reply_to_account_id": _id(post.reply_to_account_id),
        "sensitive": post.sensitive,
        "spoiler_text": post.spoiler,
        "visibility": post.visibility,
        "language": post.language,
        "edited_at": iso(post.edited_at) if post.edited_at else None,
        "content": unlink_strangers(post.html, people.keys()),
        "application": {"name": post.application_name, "website": post.application_website} if post.application_name else None,
        "media_attachments": [attachment(media) for media in post.media],
        "mentions": [
            {"id": str(people[name]), "username": name, "acct": name, "url": profile_url(public_url, name)}
            for name in post.usernames
            if name in people
        ],
        "tags": [{"name": tag.name, "url": tag_url(public_url, tag.name)} for tag in post.tags],
        "emojis": [],
        "card": None,
        "poll": None,
    }
    return orjson.dumps(content)[1:-1]


def account_head(profile: Any, public_url: str) -> bytes:
    """The part of an Account that changes only with the profile: all but the counts; `profile` has the columns of `profiles`."""
    address = profile_url(public_url, profile.username)
    avatar = picture_url(public_url, profile.avatar, "avatar", profile.account_id)
    header = picture_url(public_url, profile.header, "header", profile.account_id)
    head = {
        "id": str(profile.account_id),
        "username": profile.username,
        "acct": profile.username,
        "display_name": profile.display_name or profile.username,
        "locked": profile.locked,
        "bot": profile.bot,
        "discoverable": profile.discoverable,
        "indexable": profile.indexable,
        "noindex": not profile.indexable,
        "group": False,
        "hide_collections": profile.hide_collections,
        "created_at": f"{profile.created_at:%Y-%m-%d}T00:00:00.000Z",
        "note": profile.note_html,
        "url": address,
        "uri": address,
        "avatar": avatar,
        "avatar_static": avatar,
        "avatar_description": profile.avatar_description,
        "header": header,
        "header_static": header,
        "header_description": profile.header_description,
        "emojis": [],
        "roles": [{"id": "1", "name": profile.role.capitalize(), "color": ""}] if profile.role != "user" else [],
        "fields": [{"name": f["name"], "value": f["html"], "verified_at": None} for f in profile.fields],
    }
    return orjson.dumps(head)[1:-1]


def picture_url(public_url: str, file: str | None, kind: str, account_id: int) -> str:
    """A picture's address; people without one get one of 24 that we drew."""
    return f"{public_url}/media/profiles/{file or f'default/{kind}-{account_id % 24}.png'}"


def account(head: bytes, statuses: int, followers: int, following: int, last_status_on: str | None) -> bytes:
    """A whole Account."""
    last = b"null" if last_status_on is None else b'"%b"' % last_status_on.encode()
    return b'{%b,"statuses_count":%d,"followers_count":%d,"following_count":%d,"last_status_at":%b}' % (
        head,
        statuses,
        followers,
        following,
        last,
    )


def unlink_strangers(html: str, known: Iterable[str]) -> str:
    """Take the link from mentions of names that nobody here has."""
    names = set(known)
    return _MENTION.sub(lambda match: match.group() if match[1] in names else re.sub(r"</?span>", "", match[2]), html)


def join(objects: Sequence[bytes]) -> bytes:
    """A JSON array."""
    return b"[" + b",".join(objects) + b"]"


def _id(value: int | None) -> str | None:
    return None if value is None else str(value)
