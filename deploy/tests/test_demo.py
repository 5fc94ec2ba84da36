"""The demo community: people that may sign up, posts that may be published, nobody who can't see the pictures left out; and how it is loaded."""

import asyncio
import io
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from auth.domain import Registration, check_registration
from common.markdown import render
from microblog_demo import LOGIN, content, pictures
from microblog_demo.content import Community, Post, letters
from microblog_demo.loading import Loader
from operating import run, settled
from PIL import Image
from posts.domain import MAX_DESCRIPTION, Draft, Poll, check
from posts.language import detect
from posts.settings import Settings
from social.profiles.domain import check_name, check_note
from stack import Person, Stack, wait_for

MAX_CHARACTERS: int = Settings.model_fields["max_characters"].default
MENTION = re.compile(r"(?<!\w)@(\w+)")
POSTS = content.posts()
PEOPLE = content.people()
BY_KEY = {post.key: post for post in POSTS}


def root(post: Post) -> Post:
    while post.parent is not None:
        post = BY_KEY[post.parent]
    return post


def test_some_thirty_people_write_in_at_least_nine_languages() -> None:
    languages = Counter(person.language for person in PEOPLE.values())
    assert 27 <= len(PEOPLE) <= 40
    assert len(languages) >= 9
    assert min(languages.values()) >= 2, "nobody talks alone"
    assert {post.author for post in POSTS} == set(PEOPLE)
    assert {person.language for person in PEOPLE.values() if any(p.author == person.username and p.parent is None for p in POSTS)} == set(
        languages
    )


def test_everybody_may_sign_up_and_say_who_they_are() -> None:
    for person in PEOPLE.values():
        password = LOGIN[1] if person.username == LOGIN[0] else f"{person.username} lives in the demo"
        wanted = Registration(person.username, f"{person.username}@demo.example", password, True, "en")
        checked, problems = check_registration(wanted)
        assert (problems, checked.username) == ({}, person.username)
        assert check_name(person.name) == person.name != ""
        assert check_note(person.bio) == person.bio != ""
        assert 0 <= person.hue < 360
    assert len({person.name for person in PEOPLE.values()}) == len(PEOPLE)


def test_the_visitor_is_one_of_them_and_in_the_conversation() -> None:
    assert LOGIN[0] in PEOPLE
    assert any(post.author == LOGIN[0] and post.parent is None for post in POSTS)
    assert any(post.parent is not None and BY_KEY[post.parent].author == LOGIN[0] for post in POSTS)


def test_every_post_may_be_published() -> None:
    for post in POSTS:
        language = PEOPLE[post.author].language if post.parent is None else None
        poll = Poll(post.poll.options, 7 * 24 * 3600, post.poll.multiple) if post.poll else None
        check(Draft(1, post.author, post.text, post.warning, visibility=post.visibility, language=language, poll=poll), MAX_CHARACTERS)
        assert not re.search(r"\[(pic|cw|quiet|followers|poll)\b|\\n", post.text), post
    assert {"public", "unlisted"} <= {post.visibility for post in POSTS}
    assert any(post.warning for post in POSTS)


def test_there_is_something_to_vote_on_in_more_than_one_language() -> None:
    asked = [post for post in POSTS if post.poll]
    assert len({PEOPLE[post.author].language for post in asked}) >= 2
    assert {post.poll.multiple for post in asked if post.poll} == {True, False}
    assert all(post.picture is None and post.visibility == "public" and post.author != LOGIN[0] for post in asked)


def test_nobody_says_the_same_twice() -> None:
    assert [text for text, times in Counter((post.author, post.text) for post in POSTS).items() if times > 1] == []


def test_each_post_is_known_again_by_its_letters_when_it_was_published() -> None:
    published = {post.key: letters(render(post.text, "http://localhost:8000").html, html=True) for post in POSTS}
    assert published == {post.key: letters(post.text) for post in POSTS}
    assert max(Counter((post.author, published[post.key]) for post in POSTS).values()) == 1


def test_every_reply_is_to_an_earlier_post_of_its_own_conversation() -> None:
    assert len(BY_KEY) == len(POSTS)
    begun = 0
    for place, post in enumerate(POSTS):
        if post.parent is None:
            begun = post.key
            continue
        assert post.parent in {earlier.key for earlier in POSTS[:place]}
        assert root(post).key == begun, post
    assert sum(post.parent is not None for post in POSTS) > len(POSTS) / 3


def test_nobody_answers_what_they_may_not_be_able_to_see() -> None:
    """Who follows whom is left to chance."""
    hidden = [post for post in POSTS if post.parent is not None and root(post).visibility in ("private", "direct")]
    assert hidden == []


def test_people_mention_only_each_other() -> None:
    assert {name for post in POSTS for name in MENTION.findall(post.text)} <= set(PEOPLE)


def test_every_picture_says_what_it_shows() -> None:
    shown = [post.picture for post in POSTS if post.picture is not None]
    assert len(shown) >= 30
    for picture in shown:
        assert 8 <= len(picture.description) <= MAX_DESCRIPTION, picture
        assert picture.kind in pictures.KINDS
        assert picture.description.strip().lower() != picture.kind
    assert len({picture.description for picture in shown}) == len(shown), "each picture has words of its own"
    assert {picture.kind for picture in shown} == set(pictures.KINDS)


@pytest.mark.parametrize("kind", pictures.KINDS)
def test_a_picture_can_be_drawn_and_is_the_same_each_time(kind: str) -> None:
    drawn = pictures.draw(kind, 1)
    image = Image.open(io.BytesIO(drawn))
    assert (image.format, image.size) == ("JPEG", (960, 640))
    assert len(image.convert("RGB").resize((96, 64)).getcolors(96 * 64) or []) > 20, "there is something on it"
    assert pictures.draw(kind, 1) == drawn
    assert pictures.draw(kind, 2) != drawn


def test_everybody_has_a_face_and_a_banner_of_their_own() -> None:
    some = list(PEOPLE.values())[:4]
    for make, size, kind in ((pictures.avatar, (400, 400), "PNG"), (pictures.header, (1500, 500), "JPEG")):
        made = [make(person.username, person.hue) for person in some]
        assert len(set(made)) == len(some)
        assert all((image.format, image.size) == (kind, size) for image in map(Image.open, map(io.BytesIO, made)))


@pytest.mark.parametrize("language", sorted({person.language for person in PEOPLE.values()}))
def test_people_write_the_language_that_they_say_they_write(language: str) -> None:
    """Readers are offered translations by it. Detection may err on a short post, so most of them count."""
    written = [post.text for post in POSTS if post.parent is None and PEOPLE[post.author].language == language and len(post.text) > 20]
    agreed = sum(detect(re.sub(r"#\w+|[*`]", "", text)) in (language, None) for text in written)
    assert agreed >= 0.8 * len(written) > 0


def test_progress_counts_everything_that_is_loaded() -> None:
    assert Loader.steps() == len(PEOPLE) + len(POSTS)


def part(names: set[str]) -> Community:
    """Those people, and the conversations that they have among themselves."""
    whole: dict[int, list[Post]] = {}
    for post in POSTS:
        whole.setdefault(root(post).key, []).append(post)
    among = [thread for thread in whole.values() if {post.author for post in thread} <= names]
    return Community({name: PEOPLE[name] for name in PEOPLE if name in names}, [post for thread in among for post in thread])


def load(stack: Stack, state: Path, community: Community) -> dict[str, Person]:
    """Everybody as they are after it."""
    said: list[str] = []
    loader = Loader(stack.url, lambda address: [mail.text for mail in stack.mails_to(address)], state, said.append, community)
    asyncio.run(loader.load())
    assert len(said) == Loader.steps(community)
    people = {name: Person(name, token, stack.client(token)) for name, token in json.loads(state.read_text()).items()}
    for person in people.values():
        person.account = person.get("/api/v1/accounts/verify_credentials")
    return people


def shown(people: dict[str, Person]) -> dict[str, list[Any]]:
    """What there is of them, in order."""
    return {
        name: [
            {key: person.account[key] for key in ("id", "display_name", "note", "avatar", "header", "statuses_count", "followers_count")},
            [(status["id"], status["content"], status["replies_count"]) for status in person.pages("/api/v1/timelines/home")],
            [(status["id"], status["poll"]) for status in person.pages(f"/api/v1/accounts/{person.id}/statuses")],
            [status["id"] for status in person.pages("/api/v1/favourites")],
            [account["id"] for account in person.pages(f"/api/v1/accounts/{person.id}/following")],
            [(notice["type"], notice["id"]) for notice in person.pages("/api/v1/notifications")],
        ]
        for name, person in people.items()
    }


def last_events(stack: Stack) -> list[list[tuple[object, ...]]]:
    """The numbers of the last events that tell of posts and people."""
    return [run(stack, service, "SELECT last_value FROM outbox_id_seq") for service in ("posts", "social")]


def test_a_load_goes_on_where_it_was_broken_off_and_once_more_changes_nothing(stack: Stack, tmp_path: Path) -> None:
    community = part({"demo", "callum", "anke", "carmela", "ramiro"})
    assert any(post.poll for post in community.posts)
    assert any(post.picture for post in community.posts)
    load(stack, tmp_path / "lost.json", Community(community.people, community.posts[:5]))
    people = load(stack, tmp_path / "kept.json", community)
    written = {
        person.name: [status["content"] for status in person.pages(f"/api/v1/accounts/{person.id}/statuses") if not status["reblog"]]
        for person in people.values()
    }
    wanted = {name: [letters(post.text) for post in reversed(community.posts) if post.author == name] for name in people}
    assert {name: [letters(text, html=True) for text in texts] for name, texts in written.items()} == wanted

    visitor = people["demo"]
    assert visitor.client.patch("/api/v1/accounts/update_credentials", data={"display_name": "Somebody else"}).status_code == 200
    edited = next(status for status in visitor.pages(f"/api/v1/accounts/{visitor.id}/statuses") if not status["reblog"])
    assert visitor.client.put(f"/api/v1/statuses/{edited['id']}", json={"status": "Never mind"}).status_code == 200
    wait_for(lambda: settled(stack), "everything to be read", 30)
    before = shown(load(stack, tmp_path / "kept.json", community))
    assert before["demo"][0]["display_name"] == "Somebody else"
    (tmp_path / "kept.json").unlink()
    announced = last_events(stack)
    assert shown(load(stack, tmp_path / "kept.json", community)) == before
    assert last_events(stack) == announced
