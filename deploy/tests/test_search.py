"""search, end to end."""

import os
import secrets
import signal
from typing import Any

from stack import Person, Stack, wait_for


def found(person: Person, query: str, **more: Any) -> list[str]:
    answer = person.client.get("/api/v2/search", params={"q": query, "type": "statuses", **more})
    return [status["id"] for status in answer.json()["statuses"]] if answer.status_code == 200 else []


def test_typos_are_forgiven_and_what_was_found_is_marked(stack: Stack) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    status = author.write("Our Kubernetes cluster <b>sleeps</b> at night")
    wait_for(lambda: status["id"] in found(reader, "kubernets"), "the post to be found despite a typo")
    answer = reader.get("/api/v2/search", q="kubernets", type="statuses", limit=40)
    assert "<em>Kubernetes</em>" in answer["highlights"][status["id"]]
    assert "<b>" not in answer["highlights"][status["id"]]


def test_all_words_and_exact_phrases_rank_before_near_misses(stack: Stack) -> None:
    author, word = stack.new_person("author"), f"zw{secrets.token_hex(4)}"
    near = author.write(f"{word} somewhere, and much later in the text a lantern")
    exact = author.write(f"the {word} lantern")
    wait_for(lambda: len(found(author, f"{word} lantern")) == 2, "both posts")
    assert found(author, f"{word} lantern") == [exact["id"], near["id"]]
    assert found(author, f'"{word} lantern"') == [exact["id"]]


def test_people_and_hashtags_are_found_by_their_beginning_and_with_typos(stack: Stack) -> None:
    author, tag = stack.new_person("quillfeather"), f"lighthouse{secrets.token_hex(2)}"
    author.write(f"#{tag}")
    assert author.get("/api/v2/search", q=author.name[:-2], type="accounts")["accounts"][0]["id"] == author.id
    typo = author.name.replace("quillf", "quilf")
    wait_for(
        lambda: author.id in [a["id"] for a in author.get("/api/v2/search", q=typo, type="accounts")["accounts"]], "a name with a typo"
    )
    mistyped = tag.replace("house", "huose")
    wait_for(lambda: tag in [t["name"] for t in author.get("/api/v2/search", q=mistyped, type="hashtags")["hashtags"]], "a tag with a typo")


def test_accents_are_forgiven(stack: Stack) -> None:
    author, word = stack.new_person("author"), secrets.token_hex(4)
    status = author.write(f"Ein Café in Zürich {word}", language="de")
    wait_for(lambda: found(author, f"zurich {word}") == [status["id"]], "the post without its accents")
    assert found(author, f"CAFE Zürich {word}") == [status["id"]]


def test_who_does_not_want_to_be_found_by_words_is_not(stack: Stack) -> None:
    author, reader, word = stack.new_person("author"), stack.new_person("reader"), f"ii{secrets.token_hex(5)}"
    assert author.client.patch("/api/v1/accounts/update_credentials", json={"indexable": False}).status_code == 200
    status = author.write(word)
    wait_for(lambda: found(author, word) == [status["id"]], "the author's own post")
    assert found(reader, word) == []
    assert author.client.patch("/api/v1/accounts/update_credentials", json={"indexable": True}).status_code == 200
    wait_for(lambda: found(reader, word) == [status["id"]], "the post of who lets others find it")


def test_pages_repeat_nothing_though_some_posts_are_hidden(stack: Stack) -> None:
    author, hidden, reader = stack.new_person("author"), stack.new_person("hidden"), stack.new_person("reader")
    word = f"pp{secrets.token_hex(5)}"
    shown = {person.write(f"{word} {number}")["id"] for number in range(6) for person in (author, hidden) if person is author or number < 3}
    wait_for(lambda: len(found(reader, word)) == 9, "all posts")
    reader.post(f"/api/v1/accounts/{hidden.id}/block")
    pages = [found(reader, word, limit=3, offset=offset) for offset in (0, 3, 6, 9)]
    seen = [an_id for page in pages for an_id in page]
    assert len(seen) == len(set(seen)) == 6
    assert set(seen) <= shown
    assert pages[3] == []


def test_edits_deletes_and_visibility_are_followed(stack: Stack) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    first, second = f"aa{secrets.token_hex(5)}", f"bb{secrets.token_hex(5)}"
    status = author.write(first)
    hidden = [author.write(first, visibility=visibility)["id"] for visibility in ("unlisted", "private", "direct")]
    wait_for(lambda: found(reader, first) == [status["id"]], "the public post, and it alone")
    assert not set(hidden) & set(found(author, first))
    author.client.put(f"/api/v1/statuses/{status['id']}", json={"status": second})
    assert found(reader, first) == []
    wait_for(lambda: found(reader, second) == [status["id"]], "the edited post")
    reader.post(f"/api/v1/accounts/{author.id}/block")
    assert found(reader, second) == []
    author.client.delete(f"/api/v1/statuses/{status['id']}")
    assert found(author, second) == []


def test_without_the_engine_search_says_so_and_catches_up_afterwards(stack: Stack) -> None:
    author, word = stack.new_person("author"), f"cc{secrets.token_hex(5)}"
    engine = stack.processes()["search-engine"]
    os.kill(engine, signal.SIGSTOP)
    try:
        answer = author.client.get("/api/v2/search", params={"q": word, "type": "statuses"})
        assert (answer.status_code, answer.json()["error"]) == (503, "Search is temporarily unavailable")
        status = author.write(word)
        assert author.get("/api/v1/timelines/home")[0]["id"] == status["id"]
        assert author.get("/api/v2/search", q=author.name, type="accounts")["accounts"][0]["id"] == author.id
        page = author.client.get("/search", params={"q": word, "type": "statuses"})
        assert (page.status_code, "Search is away at the moment. Everything else works." in page.text) == (503, True)
        page = author.client.get("/search", params={"q": author.name})
        assert (page.status_code, "Full-text search is away at the moment" in page.text) == (200, True)
        assert author.client.get("/health/ready").status_code == 503
    finally:
        os.kill(engine, signal.SIGCONT)
    wait_for(lambda: found(author, word) == [status["id"]], "the post that was written meanwhile", 40)
    wait_for(lambda: author.client.get("/health/ready").status_code == 200, "the stack to be ready again", 40)
