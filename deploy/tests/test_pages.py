"""The pages as a browser without scripts sees them: links, forms and what comes back."""

import re
import secrets
from collections.abc import Callable, Iterator
from html import escape, unescape
from urllib.parse import unquote

import httpx
import pytest
from fakes.translator import FakeTranslator
from stack import Person, Stack, picture, wait_for

PASSWORD = "correct horse battery"
INLINE = re.compile(r'<\w+(?:\s+[\w-]+(?:="[^"]*")?)*\s+(?:on\w+|style)=')
Browse = Callable[..., httpx.Client]


@pytest.fixture
def browse(stack: Stack) -> Iterator[Browse]:
    """Opens browsers without scripts, logged in when given somebody."""
    opened: list[httpx.Client] = []

    def browser(person: Person | None = None, **headers: str) -> httpx.Client:
        client = stack.browser(**headers)
        opened.append(client)
        if person is not None:
            answer = stack.submit(client, "/login", "/login", identifier=person.name, password=PASSWORD)
            assert answer.status_code == 303, answer.text
        return client

    yield browser
    for client in opened:
        client.close()


def words(page: httpx.Response) -> str:
    """What a page's main part says, without its markup."""
    assert page.status_code == 200, page.text
    main = page.text[page.text.index("<main") : page.text.index("</main>")]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def note(stack: Stack, browser: httpx.Client, answer: httpx.Response) -> str:
    """The sentence on the page that a form leads to."""
    assert answer.status_code == 303, answer.text
    shown = re.search(r'<div class="alert alert-success" role="status">(.*?)</div>', browser.get(answer.headers["location"]).text)
    assert shown is not None
    return unescape(shown[1])


def upload(stack: Stack, browser: httpx.Client, path: str, action: str | None, files: dict[str, bytes], **fields: str) -> httpx.Response:
    """Fill in a form that has files, and send it."""
    hidden, target = stack.form(browser, path, action)
    return browser.post(
        target, data={**hidden, **fields}, files={name: (f"{name}.jpg", content, "image/jpeg") for name, content in files.items()}
    )


def test_somebody_registers_confirms_and_begins(stack: Stack, browse: Browse) -> None:
    name, browser = f"fresh_{secrets.token_hex(3)}", browse()
    sent = {"username": name, "email": f"{name}@people.example", "password": PASSWORD, "agreement": "y"}
    assert stack.submit(browser, "/register", **sent).status_code == 303
    assert "We sent you a mail with a link" in words(browser.get("/"))
    stack.confirm(name)
    home = browser.get("/")
    assert f"@{name}" in home.text
    assert "What would you like to say?" in words(home)


def test_what_is_wrong_with_a_registration_stands_beside_its_field(stack: Stack, browse: Browse) -> None:
    taken = stack.new_person("taken")
    answer = stack.submit(browse(), "/register", username=taken.name, email="a@people.example", password=PASSWORD, agreement="y")
    assert answer.status_code == 422
    assert re.search(rf'name="username"[^>]*value="{taken.name}"', answer.text)
    assert "has already been taken" in answer.text
    assert PASSWORD not in answer.text


def test_a_post_with_a_picture_is_written_edited_and_deleted(stack: Stack, browse: Browse) -> None:
    person, text = stack.new_person("writer"), f"from a form {secrets.token_hex(4)}"
    browser = browse(person)
    assert upload(stack, browser, "/", "/posts", {"pictures": picture()}, status=f"**{text}**", description="all teal").status_code == 303
    home = browser.get("/")
    assert f"<strong>{text}</strong>" in home.text
    shown = re.search(r'<img src="([^"]+)" alt="all teal"', home.text)
    assert shown is not None
    assert httpx.get(shown[1]).headers["content-type"].startswith("image/")
    status = person.get(f"/api/v1/accounts/{person.id}/statuses")[0]
    media = status["media_attachments"][0]["id"]
    form = browser.get(f"/posts/{status['id']}/edit")
    assert f"**{text}**" in form.text
    fields = {"status": "a calmer text", f"description-{media}": "teal, all of it", "language": "en"}
    assert "Changed." in note(stack, browser, stack.submit(browser, f"/posts/{status['id']}/edit", **fields))
    page = browser.get(f"/@{person.name}/{status['id']}")
    assert "a calmer text" in words(page)
    assert text not in page.text
    assert 'alt="teal, all of it"' in page.text
    assert "edited" in words(page)
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


def test_people_answer_like_boost_and_keep(stack: Stack, browse: Browse) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    status = author.write("what do you think?")
    browser, path = browse(reader), f"/@{author.name}/{status['id']}"
    answered = stack.submit(browser, path, "/posts", status=f"@{author.name} a lot")
    assert answered.status_code == 303
    assert "a lot" in words(browser.get(path))
    assert "what do you think?" in words(browser.get(answered.headers["location"]))
    for verb in ("favourite", "reblog", "bookmark"):
        assert stack.submit(browser, path, f"/posts/{status['id']}/{verb}").headers["location"] == path
    seen = author.get(f"/api/v1/statuses/{status['id']}")
    assert (seen["favourites_count"], seen["reblogs_count"], seen["replies_count"]) == (1, 1, 1)
    assert "what do you think?" in words(browser.get("/bookmarks"))
    assert "what do you think?" in words(browser.get("/favourites"))
    assert f"{reader.name} boosted" in words(browser.get(f"/@{reader.name}"))
    for verb in ("unfavourite", "unreblog", "unbookmark"):
        assert stack.submit(browser, path, f"/posts/{status['id']}/{verb}").status_code == 303
    seen = author.get(f"/api/v1/statuses/{status['id']}")
    assert (seen["favourites_count"], seen["reblogs_count"]) == (0, 0)
    assert "Nothing here yet." in words(browser.get("/bookmarks"))


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
    assert "tea ✓ your vote" in words(other.get(path))
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
    assert "tea ✓ your vote 100 %" in words(shown)
    assert '<progress max="100" value="100"' in shown.text
    assert "1 person" in words(shown)
    assert INLINE.search(shown.text) is None

    wrong = stack.submit(browser, "/", "/posts", status="once more", **{"poll_options-0": "alone", "poll_multiple": "y"})
    assert (wrong.status_code, "Choices must have more than one item" in unescape(wrong.text)) == (422, True)
    assert 'value="alone"' in wrong.text
    assert re.search(r"<input[^>]* checked[^>]* name=\"poll_multiple\"", wrong.text)
    stack.submit(browser, "/", "/language", language="de")
    german = stack.submit(browser, "/", "/posts", status="noch einmal", **{"poll_options-0": "allein"})
    assert "Eine Umfrage braucht mehr als eine Antwort" in german.text


def test_what_is_pinned_stands_at_the_top_of_the_profile_once(stack: Stack, browse: Browse) -> None:
    author = stack.new_person("author")
    first, _ = author.write("read this first"), author.write("something newer")
    browser, path = browse(author), f"/@{author.name}"
    assert stack.submit(browser, f"{path}/{first['id']}", f"/posts/{first['id']}/pin").status_code == 303
    shown = words(browser.get(path))
    assert shown.index("Pinned") < shown.index("read this first") < shown.index("something newer")
    assert shown.count("read this first") == 1
    assert stack.submit(browser, path, f"/posts/{first['id']}/unpin").status_code == 303
    shown = words(browser.get(path))
    assert "Pinned" not in shown
    assert shown.index("something newer") < shown.index("read this first")


def test_following_brings_posts_home_and_is_told(stack: Stack, browse: Browse) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    status = author.write(f"news {secrets.token_hex(4)}")
    browser = browse(reader)
    assert status["content"] not in browser.get("/").text
    assert stack.submit(browser, f"/@{author.name}", f"/@{author.name}/follow").status_code == 303
    wait_for(lambda: status["content"] in browser.get("/").text, "the post at home")
    assert reader.name in words(browser.get(f"/@{author.name}/followers"))
    assert author.name in words(browser.get(f"/@{reader.name}/following"))
    told = browse(author)
    wait_for(lambda: 'class="badge-dot">1<' in told.get("/").text, "the number at the bell")
    assert f"{reader.name} follows you" in words(told.get("/notifications"))
    assert "badge-dot" not in told.get("/").text
    assert stack.submit(browser, f"/@{author.name}", f"/@{author.name}/unfollow").status_code == 303
    wait_for(lambda: status["content"] not in browser.get("/").text, "the post to leave home")


def test_who_approves_followers_decides_on_a_page(stack: Stack, browse: Browse) -> None:
    careful, fan = stack.new_person("careful"), stack.new_person("fan")
    careful.client.patch("/api/v1/accounts/update_credentials", json={"locked": True})
    browser, own = browse(fan), browse(careful)
    stack.submit(browser, f"/@{careful.name}", f"/@{careful.name}/follow")
    assert "Withdraw request" in words(browser.get(f"/@{careful.name}"))
    assert fan.name in words(own.get("/follow_requests"))
    hidden, _ = stack.form(own, "/follow_requests", None)
    assert own.post("/follow_requests", data={**hidden, "decision": "authorize"}).status_code == 303
    assert "Unfollow" in words(browser.get(f"/@{careful.name}"))


def test_lists_are_made_filled_from_profiles_read_renamed_and_deleted(stack: Stack, browse: Browse) -> None:
    reader, author = stack.new_person("reader"), stack.new_person("author")
    browser, profile = browse(reader), f"/@{author.name}"
    author.write("from an author")
    assert "No list yet." in words(browser.get("/lists"))
    blank = stack.submit(browser, "/lists", "/lists", title=" ", replies_policy="list")
    assert (blank.status_code, "Title can&#39;t be blank" in blank.text) == (422, True)
    made = stack.submit(browser, "/lists", "/lists", title="Authors & others", replies_policy="list")
    path = made.headers["location"]
    assert "Nothing here yet." in words(browser.get(path))
    assert f'href="{profile}/lists"' in browser.get(profile).text
    action = f"{path}/members"
    added = stack.submit(browser, f"{profile}/lists", action, decision="add")
    assert added.headers["location"] == f"{profile}/lists"
    assert "Remove" in words(browser.get(f"{profile}/lists"))
    assert "from an author" in words(browser.get(path))
    changed = stack.submit(browser, f"{path}/edit", f"{path}/edit", title="Writers", replies_policy="none", exclusive="y")
    assert note(stack, browser, changed) == "The list is changed."
    assert "Writers not at home" in words(browser.get("/lists"))
    assert author.name in words(browser.get(f"{path}/edit"))
    assert stack.submit(browser, f"{path}/edit", action, decision="remove").status_code == 303
    assert author.name not in words(browser.get(f"{path}/edit"))
    stranger = browse(author)
    assert [stranger.get(f"{path}{part}").status_code for part in ("", "/edit", "/delete")] == [404, 404, 404]
    assert note(stack, browser, stack.submit(browser, f"{path}/delete")) == "The list is gone."
    assert browser.get(path).status_code == 404


def test_a_hashtag_is_followed_on_its_page(stack: Stack, browse: Browse) -> None:
    reader, author, word = stack.new_person("reader"), stack.new_person("author"), f"größe{secrets.token_hex(3)}"
    author.write(f"look at #{word}")
    browser, path = browse(reader), f"/tags/{word}"
    assert "Follow" not in words(browse().get(path)).split()
    assert "look at" not in words(browser.get("/"))
    followed = stack.submit(browser, path)
    assert unquote(followed.headers["location"]) == path
    assert "Unfollow" in words(browser.get(path))
    assert "look at" in words(browser.get("/"))
    assert f"#{word}" in words(browser.get("/lists"))
    assert stack.submit(browser, path).status_code == 303
    assert "look at" not in words(browser.get("/"))
    assert f"#{word}" not in words(browser.get("/lists"))


def test_search_forgives_typos_and_marks_what_it_found(stack: Stack, browse: Browse) -> None:
    author, word = stack.new_person("author"), f"lantern{secrets.token_hex(3)}"
    author.write(f"a {word} and a <b>bold</b> claim")
    browser, typo = browse(), word.replace("lantern", "lantren")
    wait_for(lambda: f"<em>{word}</em>" in browser.get("/search", params={"q": typo}).text, "the post to be found with a typo")
    assert author.name in words(browser.get("/search", params={"q": author.name, "type": "accounts"}))
    assert "Nothing found." in words(browser.get("/search", params={"q": f"qq{secrets.token_hex(6)}"}))
    hostile = browser.get("/search", params={"q": '"><script>alert(1)</script>'})
    assert "<script>alert" not in hostile.text


def test_a_post_is_translated_for_readers_of_another_language(stack: Stack, browse: Browse, translator: FakeTranslator) -> None:
    author, reader, text = stack.new_person("author"), stack.new_person("reader"), f"Guten Morgen {secrets.token_hex(4)}"
    status = author.write(text, language="de")
    path, browser = f"/@{author.name}/{status['id']}", browse(reader)
    made = stack.submit(browser, path, f"{path}/translate#post-{status['id']}")
    assert f"[en] <p>{text}</p>" in made.text
    assert "Translated from German by microsoft" in words(made)
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


def test_announcements_are_read_by_all_and_written_by_admins_only(stack: Stack, browse: Browse) -> None:
    browser = browse(stack.new_person())
    assert "<textarea" not in browser.get("/announcements").text
    hidden, _ = stack.form(browser, "/", "/posts")
    assert browser.post("/announcements", data={**hidden, "text": "forged news"}).status_code == 403
    assert "forged news" not in words(browse().get("/announcements"))


def test_settings_of_mail_password_and_devices_are_kept(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    browser, other = browse(person), browse(person)
    assert note(stack, browser, stack.submit(browser, "/settings", "/settings/mail", comment="y")) == "Your choice is kept."
    assert person.get("/api/v1/microblog/mail_preferences") == {"follow": False, "comment": True, "announcement": False}
    wrong = stack.submit(browser, "/settings", "/settings/password", current="not this one", new="an entirely new one")
    assert wrong.status_code == 422
    right = stack.submit(browser, "/settings", "/settings/password", current=PASSWORD, new="an entirely new one")
    assert "Your new password is set" in note(stack, browser, right)
    wait_for(lambda: other.get("/settings").status_code == 303, "the other device to be logged out")
    assert browser.get("/settings").status_code == 200
    with stack.browser() as third:
        assert stack.submit(third, "/login", "/login", identifier=person.name, password="an entirely new one").status_code == 303
        assert stack.submit(browser, "/settings", "/settings/devices").status_code == 303
        wait_for(lambda: third.get("/settings").status_code == 303, "the device to be logged out")


@pytest.mark.parametrize(("language", "said"), [("en", "Log in"), ("de", "Anmelden"), ("es", "Entrar")])
def test_pages_speak_the_language_that_is_chosen_or_accepted(stack: Stack, browse: Browse, language: str, said: str) -> None:
    accepting = browse(**{"Accept-Language": f"{language}-AT,fr;q=0.5"}).get("/login")
    assert f'<html lang="{language}">' in accepting.text
    choosing = browse(**{"Accept-Language": "fr"})
    assert stack.submit(choosing, "/login", "/language", language=language).headers["location"] == "/login"
    chosen = choosing.get("/login")
    assert f'<html lang="{language}">' in chosen.text
    assert f"<h1>{said}</h1>" in chosen.text


def test_a_chosen_language_follows_the_person_to_other_devices_and_into_mails(stack: Stack, browse: Browse) -> None:
    person, fan = stack.new_person(), stack.new_person("fan")
    assert stack.submit(browse(person), "/", "/language", language="de").status_code == 303
    wait_for(lambda: '<html lang="de">' in browse(person).get("/").text, "German on another device")
    fan.follow(person)
    mails = wait_for(lambda: [s for s, _, _ in stack.mails_to(f"{person.name}@people.example") if fan.name in s] or None, "the mail")
    assert "folgt dir" in mails[0]


def test_a_profile_is_changed_with_pictures_and_fields(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    browser = browse(person)
    sent = {"display_name": "Somebody Else", "note": "I **write**", "discoverable": "y", "field-name-0": "Town", "field-value-0": "Lisbon"}
    answer = upload(stack, browser, "/settings/profile", None, {"avatar": picture("red"), "header": picture("blue")}, **sent)
    assert note(stack, browser, answer) == "Your profile is changed."
    page = browser.get(f"/@{person.name}")
    assert "Somebody Else" in words(page)
    assert "I <strong>write</strong>" in page.text
    assert "Town Lisbon" in words(page)
    account = person.get("/api/v1/accounts/verify_credentials")
    assert (account["discoverable"], account["locked"], account["bot"]) == (True, False, False)
    assert account["avatar"] in page.text
    for kind in ("avatar", "header"):
        assert account[kind] != person.account[kind]
        assert httpx.get(account[kind]).headers["content-type"].startswith("image/")
    form = browser.get("/settings/profile").text
    assert 'value="Somebody Else"' in form
    assert 'value="Lisbon"' in form
    bad = upload(stack, browser, "/settings/profile", None, {"avatar": b"not a picture"}, **sent)
    assert bad.status_code == 422
    assert 'value="Somebody Else"' in bad.text


def aside(page: httpx.Response) -> str:
    """What stands beside a page, without its markup."""
    inside = page.text[page.text.index("<aside") : page.text.index("</aside>")]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", inside)).split())


@pytest.mark.parametrize(
    ("language", "heading", "reason"),
    [
        ("en", "People you may know", "followed by people whom you follow"),
        ("de", "Leute, die du vielleicht kennst", "Leute, denen du folgst, folgen auch hier"),
        ("es", "Gente que quizá conozcas", "le sigue gente a la que sigues"),
    ],
)
def test_people_one_may_know_stand_beside_the_feed_with_the_reason(
    stack: Stack, browse: Browse, language: str, heading: str, reason: str
) -> None:
    person, friend, stranger, other = [stack.new_person(name) for name in ("reader", "friend", "stranger", "other")]
    person.follow(friend)
    for one in (stranger, other):
        friend.follow(one)
    browser = browse(person, **{"accept-language": language})
    browser.cookies.set("language", language)
    shown = aside(browser.get("/"))
    assert heading in shown
    assert reason in shown
    assert {stranger.name, other.name} <= set(re.findall(r"@(\w+)", shown))
    assert stack.submit(browser, "/", f"/@{stranger.name}/follow").headers["location"] == "/"
    assert stack.submit(browser, "/", f"/suggestions/{other.id}/dismiss").headers["location"] == "/"
    assert not {stranger.name, other.name} & set(re.findall(r"@(\w+)", aside(browser.get("/"))))
    assert person.get("/api/v1/accounts/relationships", **{"id[]": stranger.id})[0]["following"] is True


def test_the_page_of_people_shows_who_wishes_to_be_found(stack: Stack, browse: Browse) -> None:
    person, shy = stack.new_person("listed"), stack.new_person("shy")
    for one in (person, shy):
        one.write("here I am")
    shy.client.patch("/api/v1/accounts/update_credentials", json={"discoverable": False})
    for order in ("active", "new"):
        page = words(browse().get("/people", params={"order": order}))
        assert (f"@{person.name}" in page, f"@{shy.name}" in page) == (True, False)


def test_a_profile_shows_hashtags_and_people_that_its_owner_chose(stack: Stack, browse: Browse) -> None:
    person, friend, word = stack.new_person("owner"), stack.new_person("friend"), f"kite{secrets.token_hex(3)}"
    person.write(f"flying a #{word}")
    person.write("without any")
    browser = browse(person)
    assert f"#{word}" in words(browser.get("/settings/hashtags"))
    refused = browser.post("/settings/hashtags", data={**stack.form(browser, "/settings/hashtags")[0], "name": "12345"})
    assert (refused.status_code, "Tag is invalid" in refused.text) == (422, True)
    assert browser.post("/settings/hashtags", data={**stack.form(browser, "/settings/hashtags")[0], "name": word}).status_code == 303
    stack.submit(browser, f"/@{friend.name}", f"/@{friend.name}/follow")
    stack.submit(browser, f"/@{friend.name}", f"/@{friend.name}/endorse")
    profile = browse().get(f"/@{person.name}")
    assert f"Recommends {friend.name}" in words(profile)
    tagged = browse().get(f"/@{person.name}/tagged/{word}")
    assert f"/@{person.name}/tagged/{word}" in profile.text
    assert ("flying a" in words(tagged), "without any" in words(tagged)) == (True, False)
    (featured,) = person.get("/api/v1/featured_tags")
    assert (
        browser.post("/settings/hashtags", data={**stack.form(browser, "/settings/hashtags")[0], "remove": featured["id"]}).status_code
        == 303
    )
    assert person.get("/api/v1/featured_tags") == []


def test_switches_and_descriptions_of_a_profile_are_changed_on_its_page(stack: Stack, browse: Browse) -> None:
    person, fan = stack.new_person("owner"), stack.new_person("fan")
    fan.follow(person)
    browser = browse(person)
    fields = {"display_name": "Somebody", "avatar_description": "a kite", "hide_collections": "y", "bot": "y"}
    assert upload(stack, browser, "/settings/profile", None, {"avatar": picture("red")}, **fields).status_code == 303
    mine = person.get("/api/v1/accounts/verify_credentials")
    switches = ("hide_collections", "bot", "locked", "discoverable", "indexable")
    assert [mine[name] for name in switches] == [True, True, False, False, False]
    profile = browse().get(f"/@{person.name}").text
    assert 'alt="a kite"' in profile
    assert '<meta name="robots" content="noindex">' in profile
    assert "keeps it to themselves" in words(browse().get(f"/@{person.name}/followers"))
    assert f"@{fan.name}" in words(browser.get(f"/@{person.name}/followers"))
    form = browser.get("/settings/profile").text
    assert 'value="a kite"' in form
    assert len(re.findall(r"<input[^>]*checked", form)) == 2


def test_forms_without_the_token_of_this_visitor_are_refused(stack: Stack, browse: Browse) -> None:
    person, other = stack.new_person(), stack.new_person("other")
    browser = browse(person)
    own, _ = stack.form(browser, "/", "/posts")
    foreign, _ = stack.form(browse(other), "/", "/posts")
    anonymous, _ = stack.form(browse(), "/login", "/login")
    for token in ({}, {"csrf_token": ""}, foreign, anonymous, {"csrf_token": own["csrf_token"][:-1]}):
        for path, fields in (
            ("/posts", {"status": "forged"}),
            ("/logout", {}),
            ("/settings/mail", {"follow": "y"}),
            ("/settings/profile", {"display_name": "forged"}),
            (f"/@{other.name}/follow", {}),
            ("/follow_requests", {"id": "1"}),
            ("/language", {"language": "de"}),
            ("/oauth/authorize", {"decision": "approve"}),
        ):
            assert browser.post(path, data={**token, **fields}).status_code == 403, path
    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
    ):
        assert browser.post("/posts", data={**own, "status": "forged"}, headers=headers).status_code == 403
    assert person.get(f"/api/v1/accounts/{person.id}/statuses") == []
    assert browser.post("/posts", data={**own, "status": "mine"}, headers={"Origin": stack.url}).status_code == 303


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/%0d%0aX: y\r\nX: y",
        "http:evil.example",
    ],
)
def test_nobody_is_sent_to_another_site(stack: Stack, browse: Browse, target: str) -> None:
    person = stack.new_person()
    with stack.browser() as browser:
        assert target not in unescape(browser.get("/login", params={"next": target}).text)
        answer = stack.submit(browser, "/login", "/login", identifier=person.name, password=PASSWORD, next=target)
        assert answer.headers["location"] == "/"
        for action in ("/posts", "/language"):
            answer = stack.submit(browser, "/", action, status="x", language="en", next=target)
            assert answer.headers["location"] == "/"


def test_who_must_log_in_first_comes_back_to_where_they_wanted_to_be(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    with stack.browser() as browser:
        sent_away = browser.get("/notifications?max_id=5")
        assert sent_away.status_code == 303
        answer = stack.submit(browser, sent_away.headers["location"], "/login", identifier=person.name, password=PASSWORD)
        assert answer.headers["location"] == "/notifications?max_id=5"


def test_what_people_type_is_never_markup(stack: Stack, browse: Browse) -> None:
    person, hostile = stack.new_person("hostile"), "<script>alert(1)</script>"
    person.client.patch(
        "/api/v1/accounts/update_credentials", json={"display_name": hostile, "note": f"{hostile}<img src=x onerror=alert(1)>"}
    )
    status = person.write(f"{hostile} <img src=x onerror=alert(1)> [x](javascript:alert(1))", spoiler_text=f'"{hostile}')
    media = person.client.post(
        "/api/v2/media", files={"file": ("a.jpg", picture(), "image/jpeg")}, data={"description": f'"{hostile}'}
    ).json()
    person.write(f"pictured {hostile}", media_ids=[media["id"]])
    reader = stack.new_person("reader")
    reader.follow(person)
    person.write(f"@{reader.name} {hostile}")
    browser = browse(reader)
    wait_for(lambda: escape(hostile) in browser.get("/notifications").text, "the notification")
    for path in (
        "/",
        "/public",
        f"/@{person.name}",
        f"/@{person.name}/media",
        f"/@{person.name}/{status['id']}",
        "/notifications",
        f"/@{reader.name}/following",
    ):
        text = browser.get(path).text
        assert "alert(1)" in text or path.startswith(f"/@{reader.name}"), path
        assert "<script>" not in text, path
        assert "<img src=x" not in text, path
        assert 'href="javascript' not in text, path
        assert not INLINE.search(text), path


@pytest.mark.parametrize("path", ["/", "/login", "/public", "/api/docs", "/nowhere", "/settings", "/static/0/site.css"])
def test_every_page_carries_the_headers_that_keep_it_safe(stack: Stack, browse: Browse, path: str) -> None:
    headers = browse().get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    if path.startswith("/static/"):
        assert "immutable" in headers["cache-control"]
        return
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["form-action"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "private, no-store"
    assert all("HttpOnly" in cookie and "samesite=lax" in cookie.lower() for cookie in headers.get_list("set-cookie"))


def test_pages_use_nothing_from_elsewhere_and_no_inline_code(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    person.write("hello")
    browser = browse(person)
    for path in (
        "/",
        f"/@{person.name}",
        "/settings",
        "/settings/profile",
        "/settings/hashtags",
        "/people",
        "/search?q=x",
        "/notifications",
        "/announcements",
        "/about",
        "/api/docs",
    ):
        page = browser.get(path)
        assert page.status_code == 200, path
        assert not re.search(r"<style|<script(?![^>]*\ssrc=)", page.text), path
        assert not INLINE.search(page.text), path
        for address in re.findall(r'<(?:script|img|link)[^>]*\s(?:src|href)="([^"]+)"', page.text):
            assert address.startswith(("/static/", f"{stack.url}/media/")), address
            assert browser.get(address).status_code == 200, address


def test_every_form_field_has_a_label_and_every_picture_a_description(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    browser = browse(person)
    for path in ("/", "/settings", "/settings/profile", "/settings/hashtags", "/people", "/search", "/login", "/register", "/reset"):
        text = browser.get(path).text
        labelled = set(re.findall(r'<label[^>]*\sfor="([^"]+)"', text))
        fields = re.findall(r'<(?:input|textarea|select)(?![^>]*type="hidden")[^>]*>', text)
        unnamed = [f for f in fields if "aria-label=" not in f and not labelled & set(re.findall(r'\sid="([^"]+)"', f))]
        assert unnamed == [], path
        assert [image for image in re.findall(r"<img[^>]*>", text) if "alt=" not in image] == [], path
        ids = re.findall(r'\sid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), path


def test_what_is_not_there_or_not_well_is_said_on_a_page_in_the_readers_language(stack: Stack, browse: Browse) -> None:
    browser = browse(**{"Accept-Language": "de"})
    for path in ("/nowhere", "/@nobody_at_all", "/@nobody_at_all/123", f"/@x/{2**70}", "/tags/" + "x" * 300):
        page = browser.get(path)
        assert page.status_code in (200, 404) if path.startswith("/tags/") else page.status_code == 404, path
        assert '<html lang="de">' in page.text


def test_hashtags_in_any_script_have_a_page(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    for tag in (f"größe{secrets.token_hex(3)}", f"東京{secrets.token_hex(3)}"):
        status = person.write(f"hello #{tag}")
        link = re.search(r'href="([^"]*/tags/[^"]+)"', status["content"])
        assert link is not None
        page = browse().get(unescape(link[1]))
        assert page.status_code == 200
        assert "hello" in words(page)


def test_older_posts_are_a_click_away(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    for number in range(23):
        person.write(f"number {number:02}.")
    browser = browse()
    first = browser.get(f"/@{person.name}")
    older = re.search(r'<p class="older"><a[^>]*href="([^"]+)"', first.text)
    assert older is not None
    second = browser.get(unescape(older[1]))
    assert re.findall(r"number \d\d", words(first) + words(second)) == [f"number {number:02}" for number in range(22, -1, -1)]
    assert "Older posts" not in second.text
