"""Marking what a search found in a post as it is shown everywhere: with its links, and its text behind its warning."""

import html
import re
from typing import Final

from markupsafe import Markup

_FOUND: Final = re.compile(r"<em>(.*?)</em>", re.DOTALL)
_BETWEEN: Final = re.compile(r'(<(?:[^>"]|"[^"]*")*>|&#?\w+;)')
"""Tags and entities, in which nothing is marked."""

_WITHOUT_SPACES: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def marked(safe: str, highlight: str) -> Markup:
    """Put `<mark>` around the words of safe HTML that a highlight (plain text with `<em>`, as `search` gives it) has marked."""
    words = {html.unescape(word) for word in _FOUND.findall(highlight)}
    if not words:
        return Markup(safe)  # noqa: S704  # it is
    either = "|".join(_pattern(word) for word in sorted(words, key=len, reverse=True))
    pieces = _BETWEEN.split(safe)
    pieces[::2] = [re.sub(f"(?:{either})+", r"<mark>\g<0></mark>", piece) for piece in pieces[::2]]
    return Markup("".join(pieces))  # noqa: S704


def _pattern(word: str) -> str:
    found = re.escape(html.escape(word, quote=False))
    return found if _WITHOUT_SPACES.search(word) else rf"(?<!\w){found}(?!\w)"
