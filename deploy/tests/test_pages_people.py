"""People on the pages: follow and be followed, lists, suggestions, what a profile shows."""

import re
import secrets
from html import unescape

import httpx
import pytest
from pages import Browse, note, words
from stack import Stack, wait_for


def aside(page: httpx.Response) -> str:
    """What stands beside a page, without its markup."""
    inside = page.text[page.text.index("<aside") : page.text.index("</aside>")]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", inside)).split())


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
    wait_for(lambda: 'data-known="1">1<' in told.get("/").text, "the number at the bell")
    assert f"{reader.name} follows you" in words(told.get("/notifications"))
    assert 'data-known="1"' not in told.get("/").text
    assert stack.submit(browser, f"/@{author.name}", f"/@{author.name}/unfollow").status_code == 303
    wait_for(lambda: status["content"] not in browser.get("/").text, "the post to leave home")


def test_who_approves_followers_decides_on_a_page(stack: Stack, browse: Browse) -> None:
    careful, fan = stack.new_person("careful"), stack.new_person("fan")
    careful.client.patch("/api/v1/accounts/update_credentials", json={"locked": True})
    browser, own = browse(fan), browse(careful)
    stack.submit(browser, f"/@{careful.name}", f"/@{careful.name}/follow")
    assert "Requested" in words(browser.get(f"/@{careful.name}"))
    assert fan.name in words(own.get("/follow_requests"))
    hidden, _ = stack.form(own, "/follow_requests", None)
    assert own.post("/follow_requests", data={**hidden, "decision": "authorize"}).status_code == 303
    assert "Following . Press to unfollow" in words(browser.get(f"/@{careful.name}"))


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
