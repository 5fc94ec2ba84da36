"""Filters, conversations and muted threads, end to end: as Mastodon.py and a browser without scripts use them."""

import re
import time
from contextlib import closing

import httpx
import pytest
from mastodon import Mastodon
from mastodon.errors import MastodonAPIError, MastodonNotFoundError
from operating import operate, run, settled
from stack import Person, Stack, picture, wait_for

PASSWORD = "correct horse battery"


def client(stack: Stack, person: Person) -> Mastodon:
    return Mastodon(access_token=person.token, api_base_url=stack.url)


def browse(stack: Stack, person: Person) -> httpx.Client:
    browser = stack.browser()
    assert stack.submit(browser, "/login", "/login", identifier=person.name, password=PASSWORD).status_code == 303
    return browser


def folded(page: str) -> list[str]:
    """What stands on the page to be opened."""
    return re.findall(r"</svg>(Filtered: [^<]*|Pictures filtered: [^<]*)<", page)


def test_mastodon_py_filters_by_words_and_posts(stack: Stack) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    reader.follow(author)
    api = client(stack, reader)
    kept = api.create_filter_v2(
        "No birds",
        ["home", "public"],
        "hide",
        keywords_attributes=[{"keyword": "magpie", "whole_word": True}, {"keyword": "owl", "whole_word": False}],
    )
    assert [(word.keyword, word.whole_word) for word in kept.keywords] == [("magpie", True), ("owl", False)]
    assert [one.id for one in api.filters_v2()] == [kept.id]
    bird, other = author.write("a magpie, growling"), author.write("nothing of the sort")
    home = {status.id: status for status in api.timeline_home()}
    (result,) = home[bird["id"]].filtered
    assert (result.filter.title, result.filter.filter_action, set(result.keyword_matches)) == ("No birds", "hide", {"magpie", "owl"})
    assert home[other["id"]].filtered == []
    changed = api.update_filter_v2(kept, title="Birds", filter_action="warn")
    assert (changed.title, changed.filter_action, len(changed.keywords)) == ("Birds", "warn", 2)
    word = api.add_filter_keyword_v2(kept, "sort", whole_word=True)
    assert api.status(other["id"]).filtered[0].keyword_matches == ["sort"]
    api.delete_filter_keyword_v2(word)
    assert [entry.keyword for entry in api.filter_keywords_v2(kept)] == ["magpie", "owl"]
    named = api.add_filter_status_v2(kept, other["id"])
    assert api.filter_status_v2(named).status_id == other["id"]
    assert api.status(other["id"]).filtered[0].status_matches == [other["id"]]
    api.delete_filter_status_v2(named)
    assert api.filter_statuses_v2(kept) == []
    with pytest.raises(MastodonAPIError, match="Title can't be blank, Context can't be blank"):
        api.create_filter_v2("", [], "warn")
    with pytest.raises(MastodonNotFoundError):
        client(stack, author).filter_v2(kept)
    api.delete_filter_v2(kept)
    assert api.timeline_home()[0].filtered == []


def test_mastodon_py_filters_as_it_did_before(stack: Stack) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    reader.follow(author)
    api = client(stack, reader)
    kept = api.filter_create("anime", ["home", "notifications"], irreversible=True, whole_word=False)
    assert (kept.phrase, kept.irreversible, kept.whole_word, kept.expires_at) == ("anime", True, False, None)
    assert kept in api.filters()
    assert api.filter(kept.id) == kept
    assert api.filter_update(kept, phrase="japanimation").phrase == "japanimation"
    written = author.write(f"@{reader.name} more japanimation")
    assert api.timeline_home()[0].filtered[0].filter.filter_action == "hide"
    after = author.write(f"@{reader.name} and something else")
    wait_for(lambda: [n.status.id for n in api.notifications(types=["mention"])] == [after["id"]], "only the other mention")
    assert written["id"] not in [n.status.id for n in api.notifications()]
    api.filter_delete(kept)
    assert api.filters() == []


def test_mastodon_py_reads_conversations(stack: Stack) -> None:
    ada, bob = stack.new_person("ada"), stack.new_person("bob")
    first = client(stack, ada).status_post(f"@{bob.name} just for you", visibility="direct")
    api = client(stack, bob)
    (talk,) = api.conversations()
    assert (talk.unread, talk.last_status.id, [account.id for account in talk.accounts]) == (True, first.id, [ada.account["id"]])
    assert api.conversations_read(talk).unread is False
    assert api.conversations()[0].unread is False
    answer = api.status_reply(talk.last_status, "and back", visibility="direct")
    (theirs,) = client(stack, ada).conversations()
    assert (theirs.unread, theirs.last_status.id) == (True, answer.id)
    api.status_delete(answer)
    assert client(stack, ada).conversations()[0].last_status.id == first.id
    assert bob.post(f"/api/v1/conversations/{talk.id}/unread")["unread"] is True
    assert bob.client.delete(f"/api/v1/conversations/{talk.id}").json() == {}
    assert api.conversations() == []
    for number in range(3):
        client(stack, ada).status_post(f"@{bob.name} number {number}", visibility="direct")
    page = api.conversations(limit=2)
    assert [talk.last_status.content for talk in [*page, *(api.fetch_next(page) or ())]] != []
    assert len([*page, *(api.fetch_next(page) or ())]) == 3


def test_mastodon_py_mutes_a_thread_and_a_person_for_a_while(stack: Stack) -> None:
    ada, bob = stack.new_person("ada"), stack.new_person("bob")
    api, other = client(stack, ada), client(stack, bob)
    post = api.status_post("what about this?")
    answer = other.status_reply(post, "well")
    assert api.status_mute(answer).muted is True
    assert api.status(post).muted is True
    other.status_reply(api.status_reply(answer, "well what?"), "nothing")
    other.status_favourite(post)
    later = other.status_reply(api.status_post("and this?"), "no")
    wait_for(lambda: later.id in [n.status.id for n in api.notifications() if "status" in n and n.status], "the notice of the other thread")
    assert {n.status.id for n in api.notifications() if "status" in n and n.status} == {answer.id, later.id}
    assert api.status_unmute(post).muted is False
    relation = api.account_mute(bob.id, notifications=False, duration=2)
    assert (relation.muting, relation.muting_notifications) == (True, False)
    assert [(entry["id"], entry["mute_expires_at"] is not None) for entry in ada.get("/api/v1/mutes")] == [(bob.id, True)]
    time.sleep(2.1)
    assert ada.get("/api/v1/mutes") == []
    assert api.account_relationships(bob.id)[0].muting is False


def test_a_browser_sets_up_filters_and_pages_honour_them(stack: Stack) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    reader.follow(author)
    browser = browse(stack, reader)
    new = {
        "title": "No tea",
        "words": "green tea\nmatcha\n",
        "parts": "teapot",
        "home": "y",
        "thread": "y",
        "filter_action": "warn",
        "ends": "3600",
    }
    assert stack.submit(browser, "/settings/filters", "/settings/filters", **new).status_code == 303
    (kept,) = reader.get("/api/v2/filters")
    assert [(word["keyword"], word["whole_word"]) for word in kept["keywords"]] == [
        ("green tea", True),
        ("matcha", True),
        ("teapot", False),
    ]
    assert (kept["context"], kept["expires_at"] is not None) == (["home", "thread"], True)
    media = author.client.post("/api/v2/media", files={"file": ("a.jpg", picture(), "image/jpeg")}).json()["id"]
    post = author.write("two teapots", media_ids=[media])
    thread, profile = f"/@{author.name}/{post['id']}", f"/@{author.name}"
    assert folded(browser.get("/").text) == ["Filtered: No tea"]
    assert folded(browser.get(thread).text) == ["Filtered: No tea"]
    assert folded(browser.get(profile).text) == []
    edit = f"/settings/filters/{kept['id']}"
    assert "green tea\nmatcha" in browser.get(edit).text
    changed = {**new, "words": "matcha", "filter_action": "hide", "ends": "as it is"}
    assert stack.submit(browser, edit, **changed).status_code == 303
    after = reader.get(f"/api/v2/filters/{kept['id']}")
    assert [word["id"] for word in after["keywords"]] == [word["id"] for word in kept["keywords"][1:]]
    assert (after["filter_action"], after["expires_at"]) == ("hide", kept["expires_at"])
    assert "two teapots" not in browser.get("/").text
    assert "Nothing here yet." in browser.get("/").text
    assert folded(browser.get(thread).text) == ["Filtered: No tea"]
    assert stack.submit(browser, edit, **{**changed, "filter_action": "blur", "account": "y", "ends": ""}).status_code == 303
    for path in ("/", thread, profile):
        assert folded(browser.get(path).text) == ["Pictures filtered: No tea"], path
    refused = stack.submit(browser, edit, title="No tea", words="matcha", filter_action="warn", ends="")
    assert (refused.status_code, "Choose one place at least." in refused.text) == (422, True)
    assert stack.submit(browser, "/settings/filters", f"{edit}/delete").status_code == 303
    assert folded(browser.get("/").text) == []


def test_a_browser_reads_and_answers_messages(stack: Stack) -> None:
    ada, bob = stack.new_person("ada"), stack.new_person("bob")
    with closing(browse(stack, ada)) as writing, closing(browse(stack, bob)) as reading:
        sent = stack.submit(writing, "/messages", "/posts", status=f"@{bob.name} meet me at noon", visibility="direct")
        assert sent.headers["location"] == "/messages"
        home = reading.get("/").text
        assert re.search(r'href="/messages"[^>]*>.*?<span class="count" data-known="1">1<', home)
        listed = reading.get("/messages").text
        found = re.search(r'href="(/messages/\d+)"', listed)
        assert found is not None
        assert "meet me at noon" in listed
        page = reading.get(found[1])
        assert "meet me at noon" in page.text
        assert not re.search(r'href="/messages"[^>]*>.*?<span class="count" data-known="[1-9]', reading.get("/").text)
        answered = stack.submit(reading, found[1], "/posts", status=f"@{ada.name} fine", visibility="direct")
        assert answered.headers["location"] == found[1]
        assert "fine" in reading.get(found[1]).text
        assert ada.get("/api/v1/conversations")[0]["last_status"]["content"].count("fine") == 1
        assert stack.submit(reading, found[1], f"{found[1]}/unread").status_code == 303
        assert bob.get("/api/v1/conversations")[0]["unread"] is True
        assert stack.submit(reading, "/messages", f"{found[1]}/remove").status_code == 303
        assert "Nothing here yet." in reading.get("/messages").text
        status = bob.write("a thread of mine")
        thread = f"/@{bob.name}/{status['id']}"
        assert stack.submit(reading, thread, f"/posts/{status['id']}/mute").headers["location"].startswith(f"{thread}#post-")
        assert bob.get(f"/api/v1/statuses/{status['id']}")["muted"] is True
        assert stack.submit(reading, thread, f"/posts/{status['id']}/unmute").status_code == 303
        assert bob.get(f"/api/v1/statuses/{status['id']}")["muted"] is False
        assert writing.get(found[1]).status_code == 404


def test_conversations_are_rebuilt_with_what_their_owners_decided(stack: Stack) -> None:
    ada, bob = stack.new_person("ada"), stack.new_person("bob")
    root = ada.write(f"@{bob.name} first", visibility="direct")
    ada.write(f"@{bob.name} second", visibility="direct", in_reply_to_id=root["id"])
    ada.write(f"@{bob.name} another thing", visibility="direct")
    read, unread = (talk["id"] for talk in bob.get("/api/v1/conversations")[::-1])
    bob.post(f"/api/v1/conversations/{read}/read")
    before = [person.get("/api/v1/conversations") for person in (ada, bob)]
    wait_for(lambda: settled(stack), "everything to be read", 30)
    lost = f"UPDATE conversations SET last_post_id = {root['id']} WHERE id = {read}"
    run(stack, "social", lost, f"DELETE FROM conversations WHERE account_id = {ada.id}", "UPDATE snapshots SET conversation_id = NULL")
    operate(stack, "rebuild", "social")
    after = [person.get("/api/v1/conversations") for person in (ada, bob)]
    assert after[1] == before[1]
    assert [talk | {"id": ""} for talk in after[0]] == [talk | {"id": "", "unread": False} for talk in before[0]]
    assert (after[1][0]["id"], after[1][0]["unread"]) == (unread, True)
    assert {line.split()[2] for line in operate(stack, "rebuild", "social").splitlines()} == {"0"}
