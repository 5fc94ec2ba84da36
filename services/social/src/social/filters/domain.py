"""Rules of filters and their named errors, in the words of Mastodon."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from common.errors import DomainError

CONTEXTS: Final = ("home", "notifications", "public", "thread", "account")
ACTIONS: Final = ("warn", "hide", "blur")
MAX_TITLE: Final = 256
MAX_KEYWORD: Final = 512
MOST_FILTERS: Final = 100
MOST_KEYWORDS: Final = 1_000
MOST_POSTS: Final = 1_000
"""Of one person, over all their filters: every page of theirs is looked through for them."""
LONGEST: Final = timedelta(days=3650)


class InvalidFilter(DomainError):
    """Validation failed"""

    code = "invalid_filter"


class TooManyFilters(DomainError):
    """Validation failed: You can have no more than 100 filters"""

    code = "too_many_filters"


class TooManyKeywords(DomainError):
    """Validation failed: You can have no more than 1000 keywords in all your filters"""

    code = "too_many_keywords"


class TooManyPosts(DomainError):
    """Validation failed: You can have no more than 1000 posts in all your filters"""

    code = "too_many_filtered_posts"


class SharedByKeywords(DomainError):
    """These parameters cannot be changed from this application because they apply to more than one filter keyword. Use a more recent application \
or the web interface."""

    code = "shared_by_keywords"


@dataclass(frozen=True, slots=True)
class FilterChange:
    """What is wanted of a filter; None leaves a thing as it is. `ends` says whether `expires_in` is told: None of it is for ever."""

    title: str | None = None
    contexts: Sequence[str] | None = None
    action: str | None = None
    ends: bool = False
    expires_in: timedelta | None = None


@dataclass(frozen=True, slots=True)
class KeywordChange:
    """A new keyword, or, with an id, a change to one; None leaves a thing as it is."""

    keyword_id: int | None = None
    keyword: str | None = None
    whole_word: bool | None = None
    removed: bool = False


def check(change: FilterChange, *, new: bool) -> FilterChange:
    """Return the change trimmed; raises `InvalidFilter` with all that is wrong. A new filter needs title and contexts."""
    title = "" if new and change.title is None else change.title
    contexts = [] if new and change.contexts is None else change.contexts
    problems = []
    if title is not None:
        title = title.strip()
        problems += ["Title can't be blank"] if not title else []
        problems += [f"Title is too long (maximum is {MAX_TITLE} characters)"] if len(title) > MAX_TITLE else []
    if contexts is not None:
        contexts = [context for context in dict.fromkeys(named.strip() for named in contexts) if context]
        problems += ["Context can't be blank"] if not contexts else []
        problems += ["Context None or invalid context supplied"] if not contexts or not set(contexts) <= set(CONTEXTS) else []
    if change.action is not None and change.action not in ACTIONS:
        problems.append("Action is not included in the list")
    if change.expires_in is not None and not timedelta(0) <= change.expires_in <= LONGEST:
        problems.append("Expires in must be between 0 and ten years, in seconds")
    if problems:
        raise _invalid(*problems)
    return FilterChange(title, contexts, change.action, change.ends, change.expires_in)


def check_keyword(keyword: str | None, called: str = "Keyword") -> str:
    """Return a keyword trimmed; raises `InvalidFilter`."""
    trimmed = (keyword or "").strip()
    if not trimmed:
        raise _invalid(f"{called} can't be blank")
    if len(trimmed) > MAX_KEYWORD:
        raise _invalid(f"{called} is too long (maximum is {MAX_KEYWORD} characters)")
    return trimmed


def check_counts(filters: int, keywords: int, posts: int) -> None:
    """Raise the error of the first limit that somebody is above."""
    if filters > MOST_FILTERS:
        raise TooManyFilters
    if keywords > MOST_KEYWORDS:
        raise TooManyKeywords
    if posts > MOST_POSTS:
        raise TooManyPosts


def _invalid(*problems: str) -> InvalidFilter:
    return InvalidFilter(f"Validation failed: {', '.join(problems)}")
