"""Rules of posts and their named errors."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import regex
from common.errors import DomainError, Forbidden
from common.events import PollState

VISIBILITIES: Final = ("public", "unlisted", "private", "direct")
MAX_MEDIA: Final = 4
MAX_DESCRIPTION: Final = 1500
MAX_OPTIONS: Final = 4
MAX_OPTION: Final = 50
MIN_POLL_SECONDS: Final = 300
MAX_POLL_SECONDS: Final = 2_629_746
"""A month, as Rails counts one."""
URL_LENGTH: Final = 23
"""What an address counts, however long it is: as in every server of the Mastodon API."""

_LONGEST_SIGN: Final = 20
"""Code points that a sign may have on average. A family has seven; any number of accents could be piled on one letter."""

_SIGN: Final = regex.compile(r"\X")
_URL: Final = re.compile(r"https?://[^\s<>()\[\]]+")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")


class EmptyPost(DomainError):
    """Validation failed: Text can't be blank"""

    code = "empty_post"


class PostTooLong(DomainError):
    """Validation failed: Text is too long"""

    code = "post_too_long"

    def __init__(self, most: int) -> None:
        super().__init__(f"Validation failed: Text character limit of {most} exceeded")


class UnknownVisibility(DomainError):
    """Validation failed: Visibility is not included in the list (public, unlisted, private, direct)"""

    code = "unknown_visibility"


class UnknownLanguage(DomainError):
    """Validation failed: Language is not an ISO 639 code"""

    code = "unknown_language"


class TooManyMedia(DomainError):
    """Validation failed: Cannot attach more than 4 files"""

    code = "too_many_media"


class UnknownMedia(DomainError):
    """Validation failed: A file to attach doesn't exist, isn't yours, or belongs to another post"""

    code = "unknown_media"


class DescriptionTooLong(DomainError):
    """Validation failed: Description is too long (maximum is 1500 characters)"""

    code = "description_too_long"


class MediaBesidePoll(DomainError):
    """Validation failed: Cannot attach files to a post with a poll"""

    code = "media_beside_poll"


class BadChoices(DomainError):
    """Validation failed: Choices must have more than one item"""

    code = "bad_choices"


class BadDeadline(DomainError):
    """Validation failed: Deadline can't be blank"""

    code = "bad_deadline"


class KeyReused(DomainError):
    """Validation failed: This Idempotency-Key was sent with another post"""

    code = "idempotency_key_reused"


class MediaInUse(DomainError):
    """Validation failed: The file is attached to a post"""

    code = "media_in_use"


class AuthorGone(Forbidden):
    """Your account was deleted"""

    code = "author_gone"


@dataclass(frozen=True, slots=True)
class Poll:
    """What an author wants to ask; `expires_in` is in seconds, None in an edit that leaves the deadline where it is."""

    options: tuple[str, ...]
    expires_in: int | None = None
    multiple: bool = False
    hide_totals: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """What an author wants to say; `language` is None to have it detected, `visibility` and `sensitive` None for the author's defaults."""

    author_id: int
    author_username: str
    text: str = ""
    spoiler: str = ""
    sensitive: bool | None = None
    visibility: str | None = None
    language: str | None = None
    media_ids: tuple[int, ...] = ()
    poll: Poll | None = None
    reply_to_id: int | None = None
    reply_to_account_id: int | None = None
    markdown: bool = True
    application_name: str | None = None
    application_website: str | None = None


def fingerprint(draft: Draft) -> bytes:
    """The same for the same wish of a client, so that a post that is sent again is known from another one under its key."""
    wish = (
        *(draft.text, draft.spoiler, draft.sensitive, draft.visibility, draft.language, draft.media_ids, draft.poll),
        *(draft.reply_to_id, draft.markdown),
    )
    return sha256(repr(wish).encode()).digest()


def length_of(text: str, spoiler: str) -> int:
    """Characters that count, as a reader sees them (extended grapheme clusters, Unicode Standard Annex 29).

    The content warning counts too, an address as 23, of `@name@host` only the name's part.
    """
    return _signs(_counted(text, spoiler)) - 1


def _counted(text: str, spoiler: str) -> str:
    without_hosts = re.sub(r"(?<=@)([A-Za-z0-9_]+)@[A-Za-z0-9.-]+", r"\1", _URL.sub("x" * URL_LENGTH, text))
    return f"{without_hosts}\n{spoiler}"  # a line's end joins no two signs, and counts one


def _signs(text: str) -> int:
    """No sign counts less than a twentieth of its code points."""
    return max(sum(1 for _ in _SIGN.finditer(text)), len(text) // _LONGEST_SIGN)


def _is_longer(text: str, most: int) -> bool:
    """Whether it has more signs than that; none has more of them than code points, so that few have to be counted."""
    return len(text) > most and _signs(text) > most


def check(draft: Draft, max_characters: int) -> None:
    """Raise the error of the first rule that the draft breaks."""
    if not draft.text.strip() and not draft.media_ids:
        raise EmptyPost
    if _is_longer(_counted(draft.text, draft.spoiler), max_characters + 1):
        raise PostTooLong(max_characters)
    if draft.visibility is not None and draft.visibility not in VISIBILITIES:
        raise UnknownVisibility
    if draft.language is not None and not _LANGUAGE.fullmatch(draft.language):
        raise UnknownLanguage
    if len(draft.media_ids) > MAX_MEDIA:
        raise TooManyMedia
    if draft.poll is not None:
        if draft.media_ids:
            raise MediaBesidePoll
        check_poll(draft.poll)


def check_poll(poll: Poll) -> None:
    """Raise the error of the first rule that the poll breaks, in the words of Mastodon (`PollOptionsValidator`, `PollExpirationValidator`)."""
    if len(poll.options) < 2:
        raise BadChoices
    if len(poll.options) > MAX_OPTIONS:
        raise BadChoices(f"Validation failed: Choices can't contain more than {MAX_OPTIONS} items")
    if any(_is_longer(option, MAX_OPTION) for option in poll.options):
        raise BadChoices(f"Validation failed: Choices cannot be longer than {MAX_OPTION} characters each")
    if len(set(poll.options)) < len(poll.options):
        raise BadChoices("Validation failed: Choices contain duplicate items")
    if poll.expires_in is None:
        return
    if poll.expires_in < MIN_POLL_SECONDS:
        raise BadDeadline("Validation failed: Deadline is too soon")
    if poll.expires_in > MAX_POLL_SECONDS:
        raise BadDeadline("Validation failed: Deadline is too far into the future")


def poll_at(moment: datetime, poll: Poll, version: int, before: PollState | None = None) -> PollState:
    """Return what a checked poll becomes in this version of its post, in place of the one that it had before.

    Votes stay as long as options and manner of voting do. Raises `BadDeadline` for a deadline that is neither given nor still to come.
    """
    same = before is not None and (list(poll.options), poll.multiple) == (before.options, before.multiple)
    deadline = before.expires_at if before is not None else None
    if poll.expires_in is not None:
        deadline = moment + timedelta(seconds=poll.expires_in)
    if deadline is None:
        raise BadDeadline
    if not same and deadline <= moment:
        raise BadDeadline("Validation failed: Deadline is too soon")
    return PollState(
        options=list(poll.options),
        expires_at=deadline,
        multiple=poll.multiple,
        hide_totals=poll.hide_totals,
        revision=before.revision if before is not None and same else version,
    )


def check_description(description: str | None) -> str | None:
    """Return an alt text trimmed, None for an empty one."""
    trimmed = (description or "").strip()
    if len(trimmed) > MAX_DESCRIPTION:
        raise DescriptionTooLong
    return trimmed or None


def clamp_focus(focus: str | None) -> tuple[float, float] | None:
    """Read a focal point `x,y` with both between -1 and 1; None when there is none or it can't be read."""
    try:
        x, y = (max(-1.0, min(1.0, float(part))) for part in (focus or "").split(","))
    except ValueError:
        return None
    return (x, y) if x == x and y == y else None
