"""What a provider gets of a post, and what is made of its answer.

Mentions, hashtags and code are none of its business, and neither are addresses: they are marked with an `id` each, and what stands there
afterwards is what the author wrote, whatever came back. A link to anywhere else can't come out of a translation.
"""

import html
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

from common.markdown import MENTION_OR_TAG, bare, sanitise, sanitise_text, words_of

_ATTRIBUTES: Final = r'(?: (?:[^>"]|"[^"]*")*)?'
_KEPT: Final = re.compile(
    rf"<(?:(?P<pre>pre)>.*?</pre>|(?P<code>code)>.*?</code>|span class=\"h-card\">.*?</a></span>"
    rf"|a{_ATTRIBUTES} class=\"mention hashtag\"{_ATTRIBUTES}>.*?</a>|a{_ATTRIBUTES}>https?://[^<\s]*</a>|(?P<a>a){_ATTRIBUTES}>)",
    re.S,
)
_HREF: Final = re.compile(r' href="([^"]*)"')
_ID: Final = re.compile(r"k([0-9]{1,4})")


@dataclass(frozen=True, slots=True)
class Marked:
    """Well-formed HTML to be translated, and what was taken out of it by number: whole elements, of links only the opening tags."""

    sent: str
    kept: list[str]
    plain: bool = False

    def restored(self, given: str) -> str:
        """Make safe HTML (or escaped words) of a translation; whatever it lost of what was kept stands at its end."""
        reader = _Reader(self.kept)
        reader.feed(bare(given))
        reader.close()
        lost = [part for number, part in enumerate(self.kept) if number not in reader.found]
        if self.plain:
            return sanitise_text(" ".join(["".join(reader.out), *lost]))
        return sanitise("".join([*reader.out, *(_apart(part) for part in lost)]))


def marked(post: str) -> Marked:
    """The HTML of a post."""
    kept: list[str] = []

    def mark(match: re.Match[str]) -> str:
        name, number = match.lastgroup or "span", len(kept)
        kept.append(match[0])
        if name == "a":
            return f'<a id="k{number}">'
        # Names and short pieces of code help to understand the sentence around them; a listing would only cost.
        return f'<{name} id="k{number}" class="notranslate">{"…" if name == "pre" else words_of(match[0])}</{name}>'

    return Marked(_KEPT.sub(mark, post), kept)


def marked_words(words: str) -> Marked:
    """Plain words, such as a content warning."""
    kept: list[str] = []
    sent, position = [], 0
    for match in MENTION_OR_TAG.finditer(words):
        name = html.escape(match[0], quote=False)
        sent += [html.escape(words[position : match.start()], quote=False), f'<span id="k{len(kept)}" class="notranslate">{name}</span>']
        kept.append(name)
        position = match.end()
    return Marked("".join([*sent, html.escape(words[position:], quote=False)]), kept, plain=True)


def _apart(part: str) -> str:
    if part.startswith("<pre"):
        return part
    if part.endswith("</a>") or not part.startswith("<a"):
        return f"<p>{part}</p>"
    address = _HREF.search(part)
    return f"<p>{part}{address[1] if address else ''}</a></p>"


@dataclass
class _Reader(HTMLParser):
    """Reads balanced HTML and puts back what was kept: elements once each, links as often as a language splits them."""

    kept: list[str]
    out: list[str] = field(default_factory=list)
    found: set[int] = field(default_factory=set)
    _ends: list[str] = field(default_factory=list)
    _replaced: int = 0
    """How deep it is inside an element whose place was taken by what was kept."""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            if not self._replaced:
                self.out.append("<br>")
            return
        if self._replaced:
            self._replaced += 1
            return
        told = dict(attrs)
        number = _ID.fullmatch(told.get("id") or "")
        place = int(number[1]) if number else len(self.kept)
        if place < len(self.kept):
            self._put_back(place)
        elif tag == "a":
            self._ends.append("")
        else:
            start = told.get("start")
            self.out.append(f'<{tag} start="{html.escape(start)}">' if start else f"<{tag}>")
            self._ends.append(f"</{tag}>")

    def _put_back(self, place: int) -> None:
        part = self.kept[place]
        if part.startswith("<a") and not part.endswith("</a>"):
            self._ends.append("</a>")
        else:
            self._replaced = 1
            part = "" if place in self.found else part
        self.out.append(part)
        self.found.add(place)

    def handle_endtag(self, tag: str) -> None:
        if self._replaced > 1:
            self._replaced -= 1
        elif self._replaced:
            self._replaced = 0
        elif self._ends:
            self.out.append(self._ends.pop())

    def handle_data(self, data: str) -> None:
        if not self._replaced:
            self.out.append(html.escape(data, quote=False))
