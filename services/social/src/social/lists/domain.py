"""Rules of lists, as Mastodon has them but for who may be in one."""

from typing import Final

from common.errors import DomainError

POLICIES: Final = ("followed", "list", "none")
"""Whose answers are shown: to people whom the owner follows, to members of the list, or to nobody. Answers to oneself and to the owner always are."""
MOST_LISTS: Final = 50
MOST_MEMBERS: Final = 500
"""A list is merged when it is read; with so many members that takes some milliseconds."""
MAX_TITLE: Final = 256


class BlankTitle(DomainError):
    """Validation failed: Title can't be blank"""

    code = "blank_title"


class TitleTooLong(DomainError):
    """Validation failed: Title is too long (maximum is 256 characters)"""

    code = "title_too_long"


class UnknownPolicy(DomainError):
    """Validation failed: Replies policy is not included in the list (followed, list, none)"""

    code = "unknown_replies_policy"


class TooManyLists(DomainError):
    """Validation failed: You have reached the maximum number of lists (50)"""

    code = "too_many_lists"


class TooManyMembers(DomainError):
    """Validation failed: A list has 500 members at most"""

    code = "too_many_members"


def check_title(title: str) -> str:
    """Return a title trimmed. Raises `BlankTitle`, `TitleTooLong`."""
    trimmed = " ".join(title.split())
    if not trimmed:
        raise BlankTitle
    if len(trimmed) > MAX_TITLE:
        raise TitleTooLong
    return trimmed


def check_policy(policy: str) -> str:
    """Return a policy that there is. Raises `UnknownPolicy`."""
    if policy not in POLICIES:
        raise UnknownPolicy
    return policy
