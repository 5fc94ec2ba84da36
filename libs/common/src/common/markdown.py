"""Markdown to safe HTML, with mentions, hashtags and addresses linked; nothing in it trusts the author.

CommonMark without raw HTML, pictures and headings in size; what comes out passes an allow-list all the same.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from common.addresses import profile_url, tag_url

HASHTAG: Final = r"(?=[^\W\d_]|\w*[^\W\d])\w{1,100}"
"""What stands behind the sign, as a regular expression: letters, digits and `_`, not only digits."""
MENTION_OR_TAG: Final = re.compile(
    rf"(?<![\w/@#&])(?:@(?P<name>[A-Za-z0-9_]{{1,30}})(?:@(?P<host>[A-Za-z0-9.:-]+[A-Za-z0-9]))?(?![\w@])|[#＃](?P<tag>{HASHTAG}))"
)
_TAGS: Final = {"p", "br", "a", "span", "del", "s", "pre", "code", "em", "strong", "ul", "ol", "li", "blockquote"}
_REL: Final = "nofollow ugc noopener noreferrer"
_CLASSES: Final = {"a": {"u-url", "mention", "hashtag"}, "span": {"h-card"}}
_BLOCK_END: Final = re.compile(r"</(?:p|li|blockquote|pre)>|<br>")


@dataclass(frozen=True, slots=True)
class Rendered:
    """Safe HTML, the same words without markup, and what they refer to; `tags` maps the lower-case name to how it was written."""

    html: str
    plain: str
    usernames: list[str]
    tags: dict[str, str]


@dataclass
class _Found:
    public_url: str
    host: str
    usernames: dict[str, None] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def render(text: str, public_url: str, *, markdown: bool = True) -> Rendered:
    """Render a post. Long or hostile input costs time in proportion to its length; callers limit the length."""
    found = _Found(public_url, public_url.split("://", 1)[1].lower())
    parser = _MARKDOWN if markdown else _PLAIN
    safe = sanitise(parser.render(text, {"found": found}).strip())
    return Rendered(safe, _plain(safe), list(found.usernames), found.tags)


def sanitise(markup: str) -> str:
    """Let only what posts may consist of through; for HTML from anywhere else, such as a translation."""
    return nh3.clean(
        markup,
        tags=_TAGS,
        attributes={"a": {"href", "rel"}, "ol": {"start"}},
        allowed_classes=_CLASSES,
        attribute_filter=_force_rel,
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )


def bare(markup: str) -> str:
    """The same without any address or class: for HTML whose links its reader puts back, each by the `id` that it marked it with."""
    return nh3.clean(markup, tags=_TAGS, attributes={"*": {"id"}, "ol": {"start"}}, link_rel=None)


def words_of(markup: str) -> str:
    """The words of HTML without its tags, escaped and with all their space."""
    return nh3.clean(markup, tags=set())


def sanitise_text(markup: str) -> str:
    """Let only words through, escaped as HTML: for what isn't shown as HTML at all, such as the translation of a content warning."""
    return words_of(markup).strip()


def _force_rel(element: str, attribute: str, value: str) -> str | None:
    return ("tag" if value == "tag" else _REL) if attribute == "rel" else value


def _plain(safe: str) -> str:
    lines = html.unescape(nh3.clean(_BLOCK_END.sub(lambda end: end.group() + "\n", safe), tags=set()))
    return re.sub(r"\n{2,}", "\n", lines).strip()


def _link_names(state: StateCore) -> None:
    """Turn @names and #tags in running text into links; code and links stay as they are."""
    found: _Found = state.env["found"]
    for block in state.tokens:
        if block.type != "inline" or not block.children:
            continue
        children: list[Token] = []
        inside_link = 0
        for token in block.children:
            inside_link += {"link_open": 1, "link_close": -1}.get(token.type, 0)
            if token.type == "text" and not inside_link:
                children += _split(token, found)
            else:
                children.append(token)
        block.children = children


def _split(token: Token, found: _Found) -> Iterator[Token]:
    text, position = token.content, 0
    for match in MENTION_OR_TAG.finditer(text):
        markup = _mention(match, found) if match["name"] else _hashtag(match["tag"], found)
        if markup is None:
            continue
        yield _text(text[position : match.start()])
        linked = Token("html_inline", "", 0)
        linked.content = markup
        yield linked
        position = match.end()
    yield _text(text[position:])


def _text(content: str) -> Token:
    token = Token("text", "", 0)
    token.content = content
    return token


def _mention(match: re.Match[str], found: _Found) -> str | None:
    if match["host"] and match["host"].lower() != found.host:
        return None  # this server knows its own people only
    name = match["name"].lower()
    found.usernames.setdefault(name)
    return f'<span class="h-card"><a href="{profile_url(found.public_url, name)}" class="u-url mention">@<span>{match["name"]}</span></a></span>'


def _hashtag(tag: str, found: _Found) -> str:
    name = tag.lower()
    found.tags.setdefault(name, tag)
    return f'<a href="{tag_url(found.public_url, name)}" class="mention hashtag" rel="tag">#<span>{html.escape(tag)}</span></a>'


def _heading(self: Any, tokens: list[Token], index: int, options: Any, env: Any) -> str:
    """A heading of a short post is a strong line: its size belongs to the page."""
    return "<p><strong>" if tokens[index].nesting == 1 else "</strong></p>"


def _image(self: Any, tokens: list[Token], index: int, options: Any, env: Any) -> str:
    """Pictures are uploaded; one that lies elsewhere would tell strangers who reads, so it becomes a link."""
    address = html.escape(str(tokens[index].attrs.get("src", "")))
    return f'<a href="{address}" rel="{_REL}">{html.escape(tokens[index].content or address)}</a>'


def _link_open(self: Any, tokens: list[Token], index: int, options: Any, env: Any) -> str:
    address = html.escape(str(tokens[index].attrs.get("href", "")))
    return f'<a href="{address}" rel="{_REL}">'


def _parser(rules: list[str] | None) -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "linkify": True, "breaks": True}).enable(["linkify", "strikethrough"])
    if rules is not None:
        made = MarkdownIt("zero", {"html": False, "linkify": True, "breaks": True}).enable(rules)
    assert made.linkify is not None  # noqa: S101 - it is enabled above
    made.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    made.core.ruler.push("names", _link_names)
    made.add_render_rule("heading_open", _heading)
    made.add_render_rule("heading_close", _heading)
    made.add_render_rule("image", _image)
    made.add_render_rule("link_open", _link_open)
    return made


_MARKDOWN: Final = _parser(None)
_PLAIN: Final = _parser(["linkify", "newline"])
