import time

import pytest
from common.markdown import bare, render

URL = "https://microblog.example"


def test_markdown_becomes_html() -> None:
    assert render("**bold** and `code`", URL).html == "<p><strong>bold</strong> and <code>code</code></p>"


def test_a_line_break_stays_one() -> None:
    assert render("one\ntwo", URL).html == "<p>one<br>\ntwo</p>"


def test_a_mention_links_to_the_profile_of_this_server() -> None:
    rendered = render("hi @Ada!", URL)
    link = '<span class="h-card"><a href="https://microblog.example/@ada" class="u-url mention">@<span>Ada</span></a></span>'
    assert rendered.html == f"<p>hi {link}!</p>"
    assert rendered.usernames == ["ada"]


def test_a_mention_with_the_own_host_is_the_same_person() -> None:
    assert render("@ada@microblog.example", URL).usernames == ["ada"]


@pytest.mark.parametrize("text", ["mail ada@example.org", "`@ada`", "@ada@elsewhere.example", "https://example.org/@ada"])
def test_what_is_no_mention_stays_text(text: str) -> None:
    assert render(text, URL).usernames == []


def test_hashtags_keep_their_spelling_and_are_found_by_lower_case() -> None:
    rendered = render("#Kubernetes and #été, not #2026 and not `#code`", URL)
    assert rendered.tags == {"kubernetes": "Kubernetes", "été": "été"}
    assert 'class="mention hashtag" rel="tag">#<span>Kubernetes</span></a>' in rendered.html


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        '<img src=x onerror="alert(1)">',
        "![x](https://example.org/pixel.png)",
        "<svg/onload=alert(1)>",
        '[a](https://example.org "onmouseover=alert(1)")',
        "<https://example.org/\"onclick='alert(1)'>",
    ],
)
def test_nothing_hostile_becomes_markup(hostile: str) -> None:
    made = render(hostile, URL).html
    for danger in ("<script", "<img", "<svg", 'href="javascript', 'href="data'):
        assert danger not in made
    assert " onclick=" not in made.replace("&quot;", "").replace("%22", "")


def test_links_say_that_they_are_not_ours() -> None:
    assert 'rel="nofollow ugc noopener noreferrer"' in render("https://example.org", URL).html


def test_plain_text_is_not_read_as_markdown() -> None:
    rendered = render("a *b* @ada", URL, markdown=False)
    assert "a *b* " in rendered.html
    assert rendered.usernames == ["ada"]


def test_the_plain_form_has_the_words_and_no_markup() -> None:
    assert render("# Title\n\n- **one** & two\n- #tag", URL).plain == "Title\none & two\n#tag"


@pytest.mark.parametrize("text", ["[" * 20_000, "**" * 10_000, "> " * 5_000, "@a" * 10_000, "#" * 20_000])
def test_hostile_nesting_ends(text: str) -> None:
    started = time.process_time()
    render(text, URL)
    assert time.process_time() - started < 10  # far above the usual tenths of a second; it guards against quadratic growth


def test_bare_html_has_its_markup_and_marks_and_no_address() -> None:
    told = '<p class="x" id="a"><a id="k1" href="//evil" class="mention" rel="tag">y</a><script>z</script><ol start="3"><li>1</li></ol>'
    assert bare(told) == '<p id="a"><a id="k1">y</a></p><ol start="3"><li>1</li></ol>'
