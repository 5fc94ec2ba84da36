"""The demo community as data: people that may sign up, posts that may be published, and nobody who can't see the pictures left out."""

import io
import re
from collections import Counter

import pytest
from auth.domain import Registration, check_registration
from microblog_demo import LOGIN, content, pictures
from microblog_demo.content import Post
from microblog_demo.loading import Loader
from PIL import Image
from posts.domain import MAX_DESCRIPTION, Draft, Poll, check
from posts.language import detect
from posts.settings import Settings
from social.profiles.domain import check_name, check_note

MAX_CHARACTERS: int = Settings.model_fields["max_characters"].default
MENTION = re.compile(r"(?<!\w)@(\w+)")
POSTS = content.posts()
PEOPLE = content.people()
BY_KEY = {post.key: post for post in POSTS}


def root(post: Post) -> Post:
    while post.parent is not None:
        post = BY_KEY[post.parent]
    return post


def test_some_thirty_people_write_in_at_least_six_languages() -> None:
    languages = Counter(person.language for person in PEOPLE.values())
    assert 27 <= len(PEOPLE) <= 40
    assert len(languages) >= 6
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
