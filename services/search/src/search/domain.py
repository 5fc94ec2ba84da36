"""What people type into the search box, read: words, phrases, and `from:`, `has:`, `is:`, `language:`, `before:`, `after:`."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

HAS: Final = {"media": "media", "image": "media", "images": "media", "poll": "poll", "link": "link"}
"""What a post can have beside words: how people name it, and the field of the index."""

_TOKEN: Final = re.compile(r'"([^"]+)"|(\S+)')


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for; dates as `2026-01-31`."""

    words: str
    phrases: tuple[str, ...] = ()
    author: str | None = None
    language: str | None = None
    before: str | None = None
    after: str | None = None
    has: frozenset[str] = frozenset()
    reply: bool | None = None

    @property
    def empty(self) -> bool:
        return self == Query("")


def read(text: str) -> Query:
    """Read a query; an operator with a value that makes no sense is taken as a word."""
    words: list[str] = []
    phrases: list[str] = []
    found: dict[str, str] = {}
    has: set[str] = set()
    reply = None
    for phrase, word in _TOKEN.findall(text):
        if phrase:
            phrases.append(phrase)
            continue
        name, colon, value = word.partition(":")
        name, value = name.lower(), value.lstrip("@").lower()
        if colon and name in ("before", "after") and _is_date(value):
            found[name] = value
        elif colon and name == "from" and value:
            found["author"] = value.split("@", 1)[0]
        elif colon and name == "language" and re.fullmatch(r"[a-z]{2,3}", value):
            found["language"] = value
        elif colon and name == "has" and value in HAS:
            has.add(HAS[value])
        elif colon and name == "is" and value == "reply":
            reply = True
        else:
            words.append(word)
    return Query(" ".join(words), tuple(phrases), has=frozenset(has), reply=reply, **found)


def _is_date(value: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True
