"""Posts on the pages: write, edit, delete, answer, favourite, boost, save, ask, translate."""

import re
import secrets
from html import unescape

import httpx
from fakes.translator import FakeTranslator
from pages import INLINE, Browse, note, upload, words
from stack import Stack, picture


def test_a_post_with_a_picture_is_written_edited_and_deleted(stack: Stack, browse: Browse) -> None:
    person, text = stack.new_person("writer"), f"from a form {secrets.token_hex(4)}"
    browser = browse(person)
    added = upload(stack, browser, "/", "/posts", {"pictures": picture()}, status=f"**{text}**", add="pictures")
    assert "Describe picture 1" in words(added)
    assert f"**{text}**</textarea>" in added.text
    media = re.findall(r'name="media" value="(\d+)"', added.text)
    hidden, target = stack.form(browser, "/", "/posts")
    described = {"media": media, f"description-{media[0]}": "all teal", "status": f"**{text}**"}
    assert browser.post(target, data=hidden | described).status_code == 303
    home = browser.get("/")
    assert f"<strong>{text}</strong>" in home.text
    shown = re.search(r'<img src="([^"]+)" alt="all teal"', home.text)
    assert shown is not None
    assert httpx.get(shown[1]).headers["content-type"].startswith("image/")
    status = person.get(f"/api/v1/accounts/{person.id}/statuses")[0]
    assert [one["id"] for one in status["media_attachments"]] == media
    form = browser.get(f"/posts/{status['id']}/edit")
    assert f"**{text}**" in form.text
    fields = {"status": "a calmer text", f"description-{media[0]}": "teal, all of it", "language": "en"}
    assert "Changed." in note(stack, browser, stack.submit(browser, f"/posts/{status['id']}/edit", **fields))
    page = browser.get(f"/@{person.name}/{status['id']}")
    assert "a calmer text" in words(page)
    assert text not in page.text
    assert 'alt="teal, all of it"' in page.text
    assert "Edited" in words(page)
    told = words(browser.get(f"/@{person.name}/{status['id']}/history"))
    assert told.index("as it is now") < told.index("a calmer text") < told.index("as it was first") < told.index(text)
    assert browse().get(f"/@{person.name}/{status['id']}/history").status_code == 200
    assert "Delete this post?" in words(browser.get(f"/posts/{status['id']}/delete"))
    assert note(stack, browser, stack.submit(browser, f"/posts/{status['id']}/delete")) == "The post is gone."
    assert browser.get(f"/@{person.name}/{status['id']}").status_code == 404


def test_only_ones_own_posts_can_be_changed(stack: Stack, browse: Browse) -> None:
    status, stranger = stack.new_person("owner").write("mine"), browse(stack.new_person("stranger"))
    for verb in ("edit", "delete"):
        assert stranger.get(f"/posts/{status['id']}/{verb}").status_code == 404
    hidden, _ = stack.form(stranger, "/", "/posts")
    for verb in ("edit", "delete"):
        assert stranger.post(f"/posts/{status['id']}/{verb}", data={**hidden, "status": "theirs"}).status_code == 404


def test_what_cannot_be_published_comes_back_with_the_reason_and_what_was_typed(stack: Stack, browse: Browse) -> None:
    browser = browse(stack.new_person())
    empty = stack.submit(browser, "/", "/posts", status="  ")
    assert (empty.status_code, "Text can" in empty.text) == (422, True)
    long = stack.submit(browser, "/", "/posts", status="lengthy " * 700, spoiler_text="a warning")
    assert long.status_code == 422
    assert "lengthy lengthy" in long.text
    assert 'value="a warning"' in long.text
    bad = upload(stack, browser, "/", "/posts", {"pictures": b"not a picture"}, status="kept words")
    assert (bad.status_code, "kept words" in bad.text, "picture" in words(httpx.Response(200, text=bad.text))) == (422, True, True)


def test_sending_the_same_form_twice_makes_one_post(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    browser = browse(person)
    hidden, target = stack.form(browser, "/", "/posts")
    for _ in range(2):
        assert browser.post(target, data={**hidden, "status": "once"}).status_code == 303
    assert len(person.get(f"/api/v1/accounts/{person.id}/statuses")) == 1


def test_a_form_with_a_picture_that_is_sent_twice_makes_one_post(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    browser = browse(person)
    hidden, target = stack.form(browser, "/write", "/posts")
    files = {"pictures": ("teal.jpg", picture(), "image/jpeg")}
    for _ in range(2):
        assert browser.post(target, data=hidden | {"status": "once"}, files=files).status_code == 303
    posts = person.get(f"/api/v1/accounts/{person.id}/statuses")
    assert [len(post["media_attachments"]) for post in posts] == [1]


def test_a_form_that_is_sent_again_with_another_text_is_refused_and_kept_for_another_try(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    browser = browse(person)
    hidden, target = stack.form(browser, "/write", "/posts")
    assert browser.post(target, data=hidden | {"status": "first"}).status_code == 303
    for files in ({}, {"pictures": ("teal.jpg", picture(), "image/jpeg")}):
        refused = browser.post(target, data=hidden | {"status": "second"}, files=files)
        assert refused.status_code == 422
        assert "This form was sent already, with something else." in refused.text
        assert "second</textarea>" in refused.text
    assert len(person.get(f"/api/v1/accounts/{person.id}/statuses")) == 1
    once = re.search(r'name="once" value="(\w+)"', refused.text)
    assert once is not None
    assert once[1] != hidden["once"]
    assert browser.post(target, data=hidden | {"status": "second", "once": once[1]}).status_code == 303
    assert len(person.get(f"/api/v1/accounts/{person.id}/statuses")) == 2


def test_the_next_page_says_once_what_was_sent_so_that_its_draft_can_go(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    browser = browse(person)
    for changed, told in (({}, 'data-sent="new"'), ({"place": "42"}, 'data-sent="42"'), ({"place": '"><b>'}, None)):
        assert stack.submit(browser, "/", "/posts", status=f"said {secrets.token_hex(4)}", **changed).status_code == 303
        page = browser.get("/").text
        assert told in page if told else "data-sent" not in page
        assert "data-sent" not in browser.get("/").text
    assert f'data-me="{person.id}"' in page


def test_people_answer_like_boost_and_keep(stack: Stack, browse: Browse) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    status = author.write("what do you think?")
    browser, path = browse(reader), f"/@{author.name}/{status['id']}"
    answered = stack.submit(browser, path, "/posts", status=f"@{author.name} a lot")
    assert answered.status_code == 303
    assert "a lot" in words(browser.get(path))
    assert "what do you think?" in words(browser.get(answered.headers["location"]))
    for verb in ("favourite", "reblog", "bookmark"):
        assert stack.submit(browser, path, f"/posts/{status['id']}/{verb}").headers["location"] == f"{path}#post-{status['id']}"
    seen = author.get(f"/api/v1/statuses/{status['id']}")
    assert (seen["favourites_count"], seen["reblogs_count"], seen["replies_count"]) == (1, 1, 1)
    assert "what do you think?" in words(browser.get("/bookmarks"))
    assert "what do you think?" in words(browser.get("/favourites"))
    assert f"{reader.name} boosted" in words(browser.get(f"/@{reader.name}"))
    for verb in ("unfavourite", "unreblog", "unbookmark"):
        assert stack.submit(browser, path, f"/posts/{status['id']}/{verb}").status_code == 303
    seen = author.get(f"/api/v1/statuses/{status['id']}")
    assert (seen["favourites_count"], seen["reblogs_count"]) == (0, 0)
    assert "Nothing saved yet." in words(browser.get("/bookmarks"))


def test_people_ask_and_answer_on_the_pages(stack: Stack, browse: Browse) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    browser, other, anybody = browse(author), browse(reader), browse()
    poll = {"poll_options-0": "tea", "poll_options-1": "<b>coffee</b>", "poll_options-3": "", "poll_expires_in": "3600"}
    assert stack.submit(browser, "/", "/posts", status="what will it be?", **poll, poll_hide_totals="y").status_code == 303
    status = author.get(f"/api/v1/accounts/{author.id}/statuses")[0]
    path, vote = f"/@{author.name}/{status['id']}", f"/posts/{status['id']}/vote"
    assert "results are shown then" in words(anybody.get(path))
    assert "&lt;b&gt;coffee" in anybody.get(path).text
    assert vote not in browser.get(path).text + anybody.get(path).text
    assert 'type="radio" name="choices"' in other.get(path).text
    assert note(stack, other, stack.submit(other, path, vote)) == "Choices can't be blank"
    assert stack.submit(other, path, vote, choices="0").headers["location"] == path
    assert "tea your vote" in words(other.get(path))
    assert "<progress" not in other.get(path).text
    assert note(stack, other, other.post(vote, data=stack.form(other, path, "/posts")[0] | {"choices": "1"})).startswith("You have already")

    edit = f"/posts/{status['id']}/edit"
    form = browser.get(edit).text
    assert 'value="tea"' in form
    assert re.search(r'<option selected value="">as before</option>', form)
    kept = {"poll_options-0": "tea", "poll_options-1": "<b>coffee</b>", "poll_expires_in": ""}
    assert stack.submit(browser, edit, status="and now?", language="en", **kept).status_code == 303
    assert author.get(f"/api/v1/polls/{status['id']}")["expires_at"] == status["poll"]["expires_at"]
    shown = other.get(path)
    assert "tea your vote 100 %" in words(shown)
    assert '<progress class="bar" max="100" value="100"' in shown.text
    assert "1 person" in words(shown)
    assert INLINE.search(shown.text) is None

    wrong = stack.submit(browser, "/", "/posts", status="once more", **{"poll_options-0": "alone", "poll_multiple": "y"})
    assert (wrong.status_code, "Choices must have more than one item" in unescape(wrong.text)) == (422, True)
    assert 'value="alone"' in wrong.text
    assert re.search(r"<input[^>]* checked[^>]* name=\"poll_multiple\"", wrong.text)
    stack.submit(browser, "/", "/language", language="de")
    german = stack.submit(browser, "/", "/posts", status="noch einmal", **{"poll_options-0": "allein"})
    assert "Eine Umfrage braucht mehr als eine Antwort" in german.text


def test_a_post_is_translated_for_readers_of_another_language(stack: Stack, browse: Browse, translator: FakeTranslator) -> None:
    author, reader, text = stack.new_person("author"), stack.new_person("reader"), f"Guten Morgen {secrets.token_hex(4)}"
    status = author.write(text, language="de")
    path, browser = f"/@{author.name}/{status['id']}", browse(reader)
    made = stack.submit(browser, path, f"{path}/translate#post-{status['id']}")
    assert f"<p>[en] {text}</p>" in made.text
    assert "Translated from German by Microsoft" in words(made)
    assert f'lang="de" dir="auto"><p>{text}</p>' in made.text
    stack.submit(browser, "/", "/language", language="de")
    assert "/translate" not in browser.get(path).text
    stack.submit(browser, "/", "/language", language="es")
    translator.mode = "error"
    try:
        other = author.write(f"{text} again", language="de")
        failed = stack.submit(browser, f"/@{author.name}/{other['id']}", f"/@{author.name}/{other['id']}/translate#post-{other['id']}")
    finally:
        translator.mode = "ok"
    assert f"{text} again" in words(failed)
    assert "el servicio de traducción" in words(failed)


def test_a_conversation_shows_who_answers_whom_and_folds_what_is_long(stack: Stack, browse: Browse) -> None:
    author, other = stack.new_person("author"), stack.new_person("other")
    post = author.write("the beginning")
    first = other.write("an answer", in_reply_to_id=post["id"])
    author.write("the author goes on", in_reply_to_id=post["id"])
    below = other.write("reply 1 to the answer", in_reply_to_id=first["id"])
    for number in range(2, 12):
        below = other.write(f"reply {number} to the answer", in_reply_to_id=below["id"])
    page = browse().get(f"/@{author.name}/{post['id']}")
    said = words(page)
    assert [said.index(text) for text in ("the beginning", "the author goes on", "an answer", "reply 1 ", "reply 11 ")] == sorted(
        said.index(text) for text in ("the beginning", "the author goes on", "an answer", "reply 1 ", "reply 11 ")
    )
    assert re.findall(r'<details class="branch"( open)?>', page.text) == ["", ""]
    assert f"Show 11 replies to {other.name}" in said
    assert f"Show 10 replies to {other.name}" in said
    assert said.count("Author") == 1
