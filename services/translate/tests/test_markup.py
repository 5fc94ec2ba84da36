"""What a provider is shown of a post, and that nothing but words comes back from it."""

import re

import pytest
from common.markdown import render
from fakes.translator import translated
from hypothesis import given
from hypothesis import strategies as st
from translate.markup import marked, marked_words

SITE = "https://m.example"
POST = render(
    "Hi @Ada and #Tide, see [the *page*](https://x.example/?a=1&b=2) or https://y.example `x < 1`\n\n"
    "```\nlisting @ada\n```\n> [//z](//z.example) and [`c`](https://c.example)\n\n3. three",
    SITE,
).html
ADDRESSES = set(re.findall(r'href="([^"]*)"', POST))
MENTION = f'<span class="h-card"><a href="{SITE}/@ada" class="u-url mention">@<span>Ada</span></a></span>'
TAG = f'<a href="{SITE}/tags/tide" class="mention hashtag" rel="tag">#<span>Tide</span></a>'
REL = 'rel="nofollow ugc noopener noreferrer"'
PIECES = [
    "<p>",
    "</p>",
    "<a>",
    '<a href="//evil.example">',
    '<a class="u-url mention" href="https://evil.example/@ada">@',
    "</a>",
    "</span>",
]
PIECES += ["<br>", "word", "&lt;b>", "</pre>", "</code>", "<script>alert(1)</script>", "<!--", "<", ">", '"', "&", "<ol start='9'>", "<em>"]
PIECES += [f'<{tag} id="k{number}">' for tag in ("a", "span", "code", "pre", "em") for number in (*range(12), 9999)]


def test_only_words_are_shown_to_the_provider() -> None:
    sent = marked(POST).sent
    assert '<p>Hi <span id="k0" class="notranslate">@Ada</span> and <span id="k1" class="notranslate">#Tide</span>, see' in sent
    assert '<a id="k2">the <em>page</em></a> or <span id="k3" class="notranslate">https://y.example</span>' in sent
    assert '<code id="k4" class="notranslate">x &lt; 1</code>' in sent
    assert "href" not in sent
    assert "listing" not in sent


def test_what_comes_back_unchanged_is_what_was_written() -> None:
    one = marked(POST)
    assert one.restored(one.sent) == POST


def test_mentions_hashtags_code_and_addresses_stay_and_all_else_is_translated() -> None:
    one = marked(POST)
    made = one.restored(translated(one.sent, "de"))
    assert f"<p>[de] Hi {MENTION} [de] and {TAG}[de] , see" in made
    assert f'<a href="https://x.example/?a=1&amp;b=2" {REL}>[de] the <em>[de] page</em></a>' in made
    assert f'<a href="https://y.example" {REL}>https://y.example</a> <code>x &lt; 1</code></p>' in made
    assert "<pre><code>listing @ada\n</code></pre>" in made
    assert '<ol start="3">' in made
    assert re.findall(r'href="([^"]*)"', made) == re.findall(r'href="([^"]*)"', POST)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ('<span id="k0">@evil</span> und <span id="k1">#Ebbe</span>', f"{MENTION} und {TAG}"),
        ('<span id="k1">#<b>Tide</b></span> von <span id="k0"><a href="//evil.example">@x</a></span>', f"{TAG} von {MENTION}"),
        ('<span id="k0">@Ada</span><span id="k0">@Ada</span> <span id="k1">#Tide</span>', f"{MENTION} {TAG}"),
        ('<a id="k0" class="u-url mention" href="https://evil.example">@Ada</a> <span id="k1"></span>', f"{MENTION} {TAG}"),
        ("@Ada #Tide", f"@Ada #Tide<p>{MENTION}</p><p>{TAG}</p>"),
        ('<span id="k0">@Ada <span id="k1">#Tide</span></span>', f"{MENTION}<p>{TAG}</p>"),
        ('<a href="https://evil.example/@ada" class="u-url mention">@Ada</a>', f"@Ada<p>{MENTION}</p><p>{TAG}</p>"),
        ('<span id="k7">x</span><span id="k0">', f"<span>x</span>{MENTION}<p>{TAG}</p>"),
    ],
)
def test_names_and_tags_are_put_back_whatever_became_of_them(given: str, made: str) -> None:
    assert marked(f"<p>{MENTION} {TAG}</p>").restored(given) == made


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_no_answer_brings_a_link_that_its_author_did_not_write(pieces: list[str]) -> None:
    one = marked(POST)
    made = one.restored("".join(pieces))
    assert set(re.findall(r'href="([^"]*)"', made)) == ADDRESSES
    assert re.sub(r' (?:rel="tag"|class="u-url mention")', f" {REL}", made).count(f" {REL}") == made.count("<a ")
    assert not re.search(r"<script|evil|id=", made.replace("&lt;script", ""))


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        ("1 < 2 & a@b.example", "1 &lt; 2 &amp; a@b.example"),
        ("about @ada, #Größe", 'about <span id="k0" class="notranslate">@ada</span>, <span id="k1" class="notranslate">#Größe</span>'),
    ],
)
def test_names_and_tags_in_plain_words_stay_as_well(words: str, sent: str) -> None:
    one = marked_words(words)
    assert one.sent == sent
    made = one.restored(translated(one.sent, "de"))
    assert re.sub(r"\[de\] ", "", made) == re.sub(r"<[^>]*>", "", sent)
    assert all(name in made for name in re.findall(r"@ada|#Größe", words))


def test_plain_words_come_back_as_words() -> None:
    assert marked_words("#a").restored('<b onclick="x()">z</b><script>1</script>') == "z #a"
