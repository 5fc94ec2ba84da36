"""The search page: what is found and marked, narrowing down, going on."""

import re
import secrets
from html import unescape

import httpx
from pages import Browse, words
from stack import Stack, wait_for


def found(browser: httpx.Client, path: str, **params: str) -> set[str]:
    """Ids of the posts on a page."""
    answer = browser.get(path, params=params) if params else browser.get(path)
    assert answer.status_code == 200
    return set(re.findall(r'<article[^>]* id="post-(\d+)"', answer.text))


def links(page: httpx.Response) -> dict[str, str]:
    """Addresses by what the links say."""
    main = page.text[page.text.index("<main") : page.text.index("</main>")]
    told = re.findall(r'<a[^>]*href="([^"]+)"[^>]*>(.*?)</a>', main, re.DOTALL)
    return {" ".join(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", said).split()): unescape(address) for address, said in told}


def test_search_forgives_typos_and_marks_what_it_found(stack: Stack, browse: Browse) -> None:
    author, word = stack.new_person("author"), f"lantern{secrets.token_hex(3)}"
    author.write(f"a {word} and a <b>bold</b> claim")
    browser, typo = browse(), word.replace("lantern", "lantren")
    wait_for(lambda: f"<mark>{word}</mark>" in browser.get("/search", params={"q": typo}).text, "the post to be found with a typo")
    assert author.name in words(browser.get("/search", params={"q": author.name, "type": "accounts"}))
    assert "Nothing with" in words(browser.get("/search", params={"q": f"qq{secrets.token_hex(6)}"}))
    hostile = browser.get("/search", params={"q": '"><script>alert(1)</script>'})
    assert "<script>alert" not in hostile.text


def test_a_found_post_keeps_its_warning_and_its_links(stack: Stack, browse: Browse) -> None:
    author, word = stack.new_person("author"), f"ending{secrets.token_hex(3)}"
    author.write(f"the {word} of https://film.example/ and *more*", spoiler_text=f"Spoiler {word}", sensitive=True)
    browser = browse()
    wait_for(lambda: f"<mark>{word}</mark>" in browser.get("/search", params={"q": word}).text, "the post")
    (article,) = re.findall(r"<article.*?</article>", browser.get("/search", params={"q": word}).text, re.DOTALL)
    warning, hidden = article.split("</summary>", 1)
    assert '<details class="cw">' in warning
    assert f"Spoiler <mark>{word}</mark>" in warning
    assert f"the <mark>{word}</mark> of" in hidden.split("</details>")[0]
    assert 'href="https://film.example/"' in hidden.split("</details>")[0]
    assert f"the <mark>{word}" not in warning


def test_results_are_narrowed_down_and_widened_again(stack: Stack, browse: Browse) -> None:
    author, word, browser = stack.new_person("author"), f"ff{secrets.token_hex(5)}", browse()
    german = author.write(f"{word} und so", language="de")["id"]
    link = author.write(f"{word} https://microblog.example", language="en")["id"]
    wait_for(lambda: found(browser, "/search", q=word) == {german, link}, "both posts")
    page = browser.get("/search", params={"q": word, "type": "statuses"})
    assert "Posts 2" in words(page)
    assert re.search(r'name="language" value="de" id="fold-language-de"><label[^>]*>German</label><span class="soft">1</span>', page.text)
    assert re.search(r'name="has" value="link" id="aside-has-link"><label[^>]*>A link</label><span class="soft">1</span>', page.text)
    assert 'name="has" value="poll"' not in page.text
    narrowed = browser.get("/search", params={"q": word, "type": "statuses", "language": "de"})
    assert set(re.findall(r'id="post-(\d+)"', narrowed.text)) == {german}
    assert "checked" in re.findall(r"<input[^>]*aside-language-de[^>]*>", narrowed.text)[0]
    assert found(browser, links(narrowed)["Remove: German"]) == {german, link}
    nothing = browser.get("/search", params={"q": word, "type": "statuses", "language": "de", "has": "link"})
    assert "Nothing with" in words(nothing)
    assert found(browser, links(nothing)["Remove: A link"]) == {german}
    assert found(browser, f"/search?q={word}&within=never&language=%3Cb%3E&has=money&order=up&offset=x&type=none") == {german, link}


def test_what_was_spelled_alike_is_told_and_can_be_left_out(stack: Stack, browse: Browse) -> None:
    author, end, browser = stack.new_person("author"), secrets.token_hex(4), browse()
    meant, alike = f"dairy{end}", f"diary{end}"
    ids = [author.write(text)["id"] for text in (meant, alike)]
    wait_for(lambda: found(browser, "/search", q=meant) == set(ids), "both posts")
    page = browser.get("/search", params={"q": meant})
    assert f"Also looked for {alike}." in words(page)
    only = links(page)[f"Only “{meant}”"]
    assert found(browser, only) == {ids[0]}
    assert found(browser, links(browser.get(only))["Forgive them"]) == set(ids)
    newest = browser.get(links(page)["Newest"])
    assert re.findall(r'id="post-(\d+)"', newest.text) == ids[::-1]
    assert re.findall(r'id="post-(\d+)"', page.text) == ids


def test_results_go_on_over_pages(stack: Stack, browse: Browse) -> None:
    author, word, browser = stack.new_person("author"), f"oo{secrets.token_hex(5)}", browse()
    written = {author.write(f"{word} {number}")["id"] for number in range(23)}
    wait_for(lambda: "Posts 23" in words(browser.get("/search", params={"q": word})), "all posts")
    first = browser.get("/search", params={"q": word})
    more = links(first)["More results"]
    rest = found(browser, more)
    assert len(rest) == 3
    assert rest | found(browser, "/search", q=word) == written
    assert "More results" not in links(browser.get(more))
