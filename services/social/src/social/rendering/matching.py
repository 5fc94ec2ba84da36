"""What the keywords of filters are looked for in, and how."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any, Final

import orjson

_BREAK: Final = re.compile(r"<br\b[^>]*>|</(?:p|li|h[1-6]|blockquote|pre|div|tr)>")
_MARKUP: Final = re.compile(r"<[^>]*>")


def folded(words: str) -> str:
    """The same for all ways to write the same: capitals, composed and full-width letters, spaces."""
    return " ".join(unicodedata.normalize("NFKC", words).casefold().split())


def text_of(content: bytes, options: Sequence[str] = ()) -> str:
    """What a post says, folded, from its part of a Status: content without markup, warning, descriptions of media, choices of a poll.

    One line each, so that no phrase is found across two of them. `options` are choices that the part of the Status doesn't have.
    """
    return "\n".join(folded(part) for part in (*_parts(orjson.loads(b"{%b}" % content)), *options))


def _parts(said: dict[str, Any]) -> Iterator[str]:
    yield said["spoiler_text"]
    yield unescape(_MARKUP.sub("", _BREAK.sub("\n", said["content"])))
    yield from (media["description"] or "" for media in said["media_attachments"])
    yield from (option["title"] for option in (said["poll"] or {}).get("options", ()))


@dataclass(frozen=True, slots=True)
class Keyword:
    """A word or phrase; as a whole word it touches no other letters, digits or signs that belong to words, where it ends in such itself."""

    keyword: str
    sought: str
    opens: bool
    closes: bool

    @classmethod
    def of(cls, keyword: str, *, whole_word: bool) -> "Keyword":
        sought = folded(keyword)
        return cls(keyword, sought, whole_word and _in_word(sought[:1]), whole_word and _in_word(sought[-1:]))

    def found_in(self, text: str) -> bool:
        """Whether a text says it; `text` is folded."""
        at = text.find(self.sought)
        while at >= 0:
            end = at + len(self.sought)
            if not (self.opens and _in_word(text[at - 1 : at])) and not (self.closes and _in_word(text[end : end + 1])):
                return True
            at = text.find(self.sought, at + 1)
        return False


def found(keywords: Iterable[Keyword], text: str) -> list[str]:
    """Those that a text says, as they were written."""
    return [keyword.keyword for keyword in keywords if keyword.found_in(text)]


def _in_word(sign: str) -> bool:
    """Letters, marks on letters, digits, and what connects them, as `[[:word:]]` of Mastodon has it."""
    return sign != "" and (sign.isalnum() or unicodedata.category(sign) in ("Mn", "Mc", "Me", "Pc"))
