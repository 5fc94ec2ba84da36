"""Clients that people already have: the library Mastodon.py and the command line `toot`, as they are."""

import io
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from mastodon import Mastodon
from mastodon.errors import MastodonAPIError, MastodonIllegalArgumentError, MastodonNotFoundError, MastodonUnauthorizedError
from PIL import Image
from stack import Person, Stack, picture, wait_for

TOOT = "toot==0.52.1"
"""GPL: run as a program of its own in an environment of its own, never among our dependencies."""
PASSWORD = "correct horse battery"


def consent(stack: Stack, name: str, url: str) -> str:
    """Log in where an app sent somebody, allow it, and return the code that the page shows."""
    with stack.browser() as browser:
        assert stack.submit(browser, "/login", "/login", identifier=name, password=PASSWORD).status_code == 303
        page = stack.submit(browser, url.removeprefix(stack.url), "/oauth/authorize", decision="approve")
    code = re.search(r'class="form-control oauth-code" readonly value="([^"]+)"', page.text)
    assert code is not None, page.text
    return unescape(code[1])


@pytest.fixture
def log_in(stack: Stack) -> Callable[[Person], Mastodon]:
    """Somebody's Mastodon.py, logged in as its documentation says."""

    def client(person: Person) -> Mastodon:
        client_id, client_secret = Mastodon.create_app("tests", api_base_url=stack.url)
        api = Mastodon(client_id, client_secret, api_base_url=stack.url, ratelimit_method="throw")
        api.log_in(code=consent(stack, person.name, api.auth_request_url(allow_http=True)), allow_http=True)
        return api

    return client


def test_mastodon_py_signs_somebody_up(stack: Stack) -> None:
    name = f"newcomer_{secrets.token_hex(3)}"
    client_id, client_secret = Mastodon.create_app("tests", api_base_url=stack.url)
    api = Mastodon(client_id, client_secret, api_base_url=stack.url)
    token = api.create_account(name, PASSWORD, f"{name}@people.example", agreement=True)
    with pytest.raises(MastodonAPIError, match="confirmed"):
        api.me()
    stack.confirm(name)
    me = Mastodon(access_token=token, api_base_url=stack.url).me()
    assert (me.username, me.acct, me.statuses_count) == (name, name, 0)
    _, told = Mastodon(client_id, client_secret, api_base_url=stack.url).create_account(
        name, "short", "nonsense", agreement=True, return_detailed_error=True
    )
    assert {field for field, problems in told.details.items() if problems} == {"username", "email", "password"}


def test_mastodon_py_logs_in_by_code_and_out_again(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    person = stack.new_person()
    api = log_in(person)
    assert api.me().username == person.name
    assert api.app_verify_credentials().name == "tests"
    with pytest.raises(MastodonIllegalArgumentError):
        api.log_in(code="nonsense", allow_http=True)
    api = log_in(person)
    token = api.access_token
    api.revoke_access_token(allow_http=True)
    with pytest.raises(MastodonUnauthorizedError):
        Mastodon(access_token=token, api_base_url=stack.url).me()


def test_mastodon_py_knows_what_the_server_is(stack: Stack) -> None:
    api = Mastodon(api_base_url=stack.url, version_check_mode="created")
    assert api.retrieve_mastodon_version().startswith("4.")
    assert api.instance_v2().configuration.statuses.max_characters == 5000
    assert api.instance_v1().uri == f"localhost:{stack.port}"
    assert api.custom_emojis() == []
    assert api.instance_nodeinfo().software.name == "microblog"


def test_mastodon_py_writes_with_a_picture_edits_and_deletes(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    api = log_in(stack.new_person("writer"))
    media = api.media_post(io.BytesIO(picture()), "image/jpeg", description="all teal", synchronous=True)
    assert (media.type, media.description, media.meta.original.width) == ("image", "all teal", 1200)
    assert api.media_update(media, description="teal, all of it").description == "teal, all of it"
    status = api.status_post("look at **this** #lighthouse", media_ids=[media], sensitive=True, spoiler_text="teal", language="en")
    assert (status.visibility, status.sensitive, status.spoiler_text, status.language) == ("public", True, "teal", "en")
    assert [tag.name for tag in status.tags] == ["lighthouse"]
    shown = status.media_attachments[0]
    assert shown.description == "teal, all of it"
    assert Image.open(io.BytesIO(httpx.get(shown.url).content)).size == (1200, 800)
    assert api.status_source(status).text == "look at **this** #lighthouse"
    edited = api.status_update(status, "look again", spoiler_text="", media_ids=[media])
    assert (edited.content, edited.edited_at > status.created_at) == ("<p>look again</p>", True)
    assert [entry.content for entry in api.status_history(status)][-1] == "<p>look again</p>"
    assert api.status_post("once", idempotency_key="k").id == api.status_post("once", idempotency_key="k").id
    api.status_delete(status)
    with pytest.raises(MastodonNotFoundError):
        api.status(status)


def test_mastodon_py_follows_reads_answers_likes_and_boosts(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    author, reader = log_in(stack.new_person("author")), log_in(stack.new_person("reader"))
    relation = reader.account_follow(author.me())
    assert (relation.following, relation.requested) == (True, False)
    status = author.status_post("what do you think?")
    home = wait_for(lambda: [entry for entry in reader.timeline_home() if entry.id == status.id] or None, "the post at home")
    assert home[0].account.acct == author.me().acct
    reply = reader.status_reply(home[0], "a lot")
    assert (reply.in_reply_to_id, reply.in_reply_to_account_id) == (status.id, author.me().id)
    assert [entry.id for entry in author.status_context(status).descendants] == [reply.id]
    assert reader.status_favourite(status).favourited
    boost = reader.status_reblog(status)
    assert (boost.reblog.id, boost.reblog.reblogged) == (status.id, True)
    assert reader.status_bookmark(status).bookmarked
    assert [entry.id for entry in reader.bookmarks()] == [entry.id for entry in reader.favourites()] == [status.id]
    assert (
        [who.id for who in author.status_favourited_by(status)]
        == [who.id for who in author.status_reblogged_by(status)]
        == [reader.me().id]
    )
    wait_for(lambda: {n.type for n in author.notifications()} == {"follow", "mention", "favourite", "reblog"}, "the notifications")
    assert [entry.status.id for entry in author.notifications(types=["favourite"])] == [status.id]
    undone = reader.status_unreblog(status)
    assert (undone.id, undone.reblogged, reader.status_unfavourite(status).favourited) == (status.id, False, False)
    assert [who.id for who in author.account_followers(author.me())] == [reader.me().id]
    assert reader.account_relationships(author.me())[0].following
    assert not reader.account_unfollow(author.me()).following


def test_mastodon_py_searches(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    person, word = stack.new_person("quillfeather"), f"lantern{secrets.token_hex(3)}"
    api = log_in(person)
    status = api.status_post(f"a {word} #{word}")
    typo = word.replace("lantern", "lantren")
    wait_for(lambda: [s.id for s in api.search_v2(typo, result_type="statuses").statuses] == [status.id], "the post despite a typo")
    found = api.search_v2(f"@{person.name}@localhost:{stack.port}", resolve=True)
    assert [account.username for account in found.accounts].index(person.name) == 0
    assert len({account.id for account in found.accounts}) == len(found.accounts)
    assert [tag.name for tag in api.search_v2(f"#{word}", result_type="hashtags").hashtags] == [word]
    assert api.account_search(person.name)[0].username == person.name
    assert api.account_lookup(person.name).id == api.me().id


def test_mastodon_py_pins_and_takes_notes(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    person, other = stack.new_person("pinner"), stack.new_person("other")
    api = log_in(person)
    status = api.status_post("stays on top")
    assert api.status_pin(status.id).pinned is True
    assert [pinned.id for pinned in api.account_statuses(person.id, pinned=True)] == [status.id]
    assert api.status_unpin(status.id).pinned is False
    assert api.account_note_set(other.id, "from the choir").note == "from the choir"
    assert api.account_relationships(other.id)[0].note == "from the choir"
    with pytest.raises(MastodonAPIError, match="Someone else's post cannot be pinned"):
        api.status_pin(other.write("mine")["id"])


def test_mastodon_py_asks_and_answers(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    author, reader = log_in(stack.new_person("author")), log_in(stack.new_person("reader"))
    limits = author.instance().configuration.polls
    assert (limits.max_options, limits.max_characters_per_option, limits.min_expiration) == (4, 50, 300)
    asked = author.make_poll(["one", "two", "three"], expires_in=600, multiple=True, hide_totals=True)
    status = author.status_post("some of these?", poll=asked)
    assert [option.title for option in status.poll.options] == ["one", "two", "three"]
    assert (status.poll.multiple, status.poll.expired, status.poll.voted) == (True, False, True)
    assert timedelta(seconds=590) < status.poll.expires_at - datetime.now(UTC) <= timedelta(seconds=600)
    voted = reader.poll_vote(status.poll.id, [0, 2])
    assert (voted.own_votes, voted.votes_count, voted.voters_count) == ([0, 2], 2, 1)
    assert [option.votes_count for option in reader.poll(status.poll.id).options] == [None, None, None]
    for choices, said in (([1], "already voted on this poll"), ([7], "chosen vote option does not exist")):
        with pytest.raises(MastodonAPIError, match=said):
            reader.poll_vote(status.poll.id, choices)
    with pytest.raises(MastodonAPIError, match="cannot vote in your own polls"):
        author.poll_vote(status.poll.id, [0])
    edited = author.status_update(status.id, status="some of those?", poll=asked)
    assert (edited.poll.voters_count, reader.poll(status.poll.id).own_votes) == (1, [0, 2])
    assert author.status_delete(status.id).poll.options[2].title == "three"
    with pytest.raises(MastodonNotFoundError):
        reader.poll(status.poll.id)
    with pytest.raises(MastodonAPIError, match="Choices must have more than one item"):
        author.status_post("well?", poll=author.make_poll(["one"], expires_in=600))


def test_mastodon_py_keeps_lists_of_people_followed_or_not(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    friend, stranger = stack.new_person("friend"), stack.new_person("stranger")
    api, other = log_in(stack.new_person("reader")), log_in(friend)
    api.account_follow(friend.id)
    made = api.list_create("people", replies_policy="none")
    assert (made.title, made.replies_policy, made.exclusive) == ("people", "none", False)
    api.list_accounts_add(made, [friend.id, stranger.id])
    assert {account.id for account in api.list_accounts(made, limit=0)} == {friend.id, stranger.id}
    assert [found.id for found in api.account_lists(stranger.id)] == [made.id]
    said = [friend.write("from a friend", visibility="private"), stranger.write("from a stranger")]
    stranger.write("for followers", visibility="private")
    stranger.write("to a stranger", in_reply_to_id=stack.new_person("another").write("hello?")["id"])
    assert [status.id for status in api.timeline_list(made)] == [said[1]["id"], said[0]["id"]]
    assert [status.id for status in api.timeline_home()] == [said[0]["id"]]
    assert api.list_update(made, "my people", "list", exclusive=True).title == "my people"
    assert api.timeline_home() == []
    assert [status.id for status in api.timeline_list(made, limit=1)] == [said[1]["id"]]
    api.list_accounts_delete(made, [friend.id])
    assert [status.id for status in api.timeline_home()] == [said[0]["id"]]
    for ask in (other.list, other.list_accounts, other.timeline_list, other.list_delete):
        with pytest.raises(MastodonNotFoundError):
            ask(made)
    assert {notification.type for notification in other.notifications()} <= {"follow"}
    api.list_delete(made)
    assert api.lists() == []


def test_mastodon_py_follows_hashtags(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    author, api, word = stack.new_person("author"), log_in(stack.new_person("reader")), f"lantern{secrets.token_hex(3)}"
    before = author.write(f"a #{word}")
    assert api.tag_follow(word.upper()).following
    assert [tag.name for tag in api.followed_tags()] == [word]
    after = author.write(f"another #{word}")
    edited = author.write("about nothing")
    author.client.put(f"/api/v1/statuses/{edited['id']}", json={"status": f"about #{word}"}).raise_for_status()
    author.write(f"quietly #{word}", visibility="unlisted")
    api.account_follow(author.id)
    shown = [edited["id"], after["id"], before["id"]]
    assert [status.id for status in api.timeline_hashtag(word)] == shown
    assert [status.id for status in api.timeline_home() if status.visibility == "public"] == shown
    api.account_unfollow(author.id)
    assert [status.id for status in api.timeline_home()] == shown
    assert not api.tag_unfollow(word).following
    assert (api.timeline_home(), api.followed_tags(), api.tag(word).following) == ([], [], False)
    with pytest.raises(MastodonNotFoundError):
        api.tag_follow("2026")


def test_mastodon_py_pages_through_everything_once(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    author, reader = stack.new_person("author"), log_in(stack.new_person("reader"))
    reader.account_follow(author.id)
    written = [author.write(f"number {number}")["id"] for number in range(25)]
    wait_for(lambda: len(reader.timeline_home(limit=40)) == 25, "all posts at home")
    first = reader.timeline_home(limit=10)
    second = reader.fetch_next(first)
    third = reader.fetch_next(second)
    assert [[status.id for status in page] for page in (first, second or (), third or ())] == [
        written[:14:-1],
        written[14:4:-1],
        written[4::-1],
    ]
    assert not reader.fetch_next(third)
    assert [status.id for status in reader.fetch_previous(second) or ()] == written[:14:-1]
    assert [status.id for status in reader.fetch_remaining(reader.account_statuses(author.id, limit=7))] == written[::-1]
    assert [status.id for status in reader.timeline_home(min_id=written[3], limit=2)] == [written[5], written[4]]
    assert [status.id for status in reader.timeline_home(since_id=written[3], limit=2)] == [written[24], written[23]]


def test_mastodon_py_changes_a_profile(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    api = log_in(stack.new_person())
    fields = [("Town", "Lisbon"), ("Colour", "teal")]
    me = api.account_update_credentials(
        display_name="Somebody Else",
        note="I write",
        avatar=picture("red"),
        avatar_mime_type="image/jpeg",
        fields=fields,
        bot=True,
        locked=True,
    )
    assert (me.display_name, me.bot, me.locked, me.source.note) == ("Somebody Else", True, True, "I write")
    assert [(field.name, field.value) for field in me.fields] == fields
    assert httpx.get(me.avatar).headers["content-type"].startswith("image/")


def test_mastodon_py_says_what_pictures_show_and_who_may_find_one(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    person, reader = stack.new_person(), stack.new_person()
    api = log_in(person)
    me = api.account_update_credentials(
        avatar=picture("red"),
        avatar_mime_type="image/jpeg",
        avatar_description="all red",
        header=picture("blue"),
        header_mime_type="image/jpeg",
        header_description="all blue",
        hide_collections=True,
        indexable=False,
        discoverable=False,
    )
    assert (me.avatar_description, me.header_description) == ("all red", "all blue")
    assert (me.source.hide_collections, me.source.indexable, me.source.discoverable) == (True, False, False)
    reader.follow(person)
    assert api.account_followers(me)[0].id == reader.account["id"]
    seen = log_in(reader).account(me)
    assert (seen.avatar_description, seen.hide_collections, seen.followers_count) == ("all red", True, 1)
    assert log_in(reader).account_followers(me) == []
    with pytest.raises(MastodonAPIError, match="Avatar description is too long"):
        api.account_update_credentials(avatar_description="x" * 1501)


def test_mastodon_py_unlocks_a_profile_and_is_followed_by_who_asked(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    star, fan = stack.new_person("star"), stack.new_person("fan")
    api, fans = log_in(star), log_in(fan)
    api.account_update_credentials(locked=True)
    assert fans.account_follow(star.id).requested is True
    assert [asking.id for asking in api.follow_requests()] == [fan.account["id"]]
    api.account_update_credentials(locked=False)
    (relation,) = fans.account_relationships(star.id)
    assert (relation.following, relation.requested) == (True, False)


def test_mastodon_py_is_suggested_people_for_a_reason(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    person, friend, stranger = stack.new_person(), stack.new_person("friend"), stack.new_person("stranger")
    api = log_in(person)
    api.account_follow(friend.id)
    friend.follow(stranger)
    (found,) = [one for one in api.suggestions_v2() if one.account.id == stranger.account["id"]]
    assert (found.source, found.sources[0]) == ("past_interactions", "friends_of_friends")
    assert stranger.account["id"] in [account.id for account in api.suggestions_v1()]
    api.suggestion_delete(stranger.id)
    assert stranger.account["id"] not in [one.account.id for one in api.suggestions_v2()]
    (familiar,) = api.account_familiar_followers(stranger.id)
    assert [account.id for account in familiar.accounts] == [friend.account["id"]]


def test_mastodon_py_endorses_people_and_features_tags(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    person, friend, word = stack.new_person(), stack.new_person("friend"), f"kite{secrets.token_hex(3)}"
    api = log_in(person)
    with pytest.raises(MastodonAPIError, match="must be already following"):
        api.account_pin(friend.id)
    api.account_follow(friend.id)
    assert api.account_pin(friend.id).endorsed is True
    assert [account.id for account in api.endorsements()] == [friend.account["id"]]
    assert api.account_unpin(friend.id).endorsed is False
    assert api.account_endorse(friend.id).endorsed is True
    assert api.account_unendorse(friend.id).endorsed is False
    api.status_post(f"#{word} and #{word}2")
    assert {tag.name for tag in api.featured_tag_suggestions()} == {word, f"{word}2"}
    made = api.featured_tag_create(word)
    assert (made.name, int(made.statuses_count), made.last_status_at is not None) == (word, 1, True)
    assert [tag.name for tag in log_in(friend).account_featured_tags(person.id)] == [word]
    api.featured_tag_delete(made)
    assert api.featured_tags() == []
    with pytest.raises(MastodonAPIError, match="Tag is invalid"):
        api.featured_tag_create("12345")
    assert api.tag_feature(word).featuring is True
    assert [tag.name for tag in api.featured_tags()] == [word]
    assert api.tag_unfeature(word).featuring is False


def test_mastodon_py_pages_through_the_directory(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    people = [stack.new_person("listed") for _ in range(3)]
    for person in people:
        person.write("here I am")
    api = log_in(people[0])
    newest = api.directory(order="new", limit=3, local=True)
    assert [account.id for account in newest] == [person.account["id"] for person in reversed(people)]
    assert api.directory(order="new", limit=1, offset=1)[0].id == people[1].account["id"]
    assert {person.account["id"] for person in people} <= {account.id for account in api.directory(order="active", limit=80)}
    api.account_update_credentials(discoverable=False)
    assert people[0].account["id"] not in [account.id for account in api.directory(order="new")]


class Toot:
    """The command line with a configuration folder of its own."""

    def __init__(self, program: Path, stack: Stack, home: Path) -> None:
        self._program, self._stack = program, stack
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CONFIG_HOME": str(home), "LANG": "C.UTF-8"}

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run([self._program, *arguments], env=self._environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"toot {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))

    def fails(self, *arguments: str) -> str:
        done = subprocess.run([self._program, *arguments], env=self._environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode != 0
        return done.stdout + done.stderr

    def log_in(self, person: Person) -> str:
        """Answer its questions as somebody does who has a browser beside it."""
        asked = [self._program, "login", "--instance", self._stack.url]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(asked, env=self._environment, text=True, **pipes) as process:  # type: ignore[call-overload]
            url = next(line.strip() for line in process.stdout if line.startswith(self._stack.url))
            said, _ = process.communicate(f"n\n{consent(self._stack, person.name, url)}\n", timeout=60)
        assert process.returncode == 0, said
        return str(said)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `toot` is installed; skips when the package index can't be reached."""
    folder = tmp_path_factory.mktemp("toot") / "venv"
    if shutil.which("uv"):
        steps = [
            ["uv", "venv", "-q", "--python", sys.executable, str(folder)],
            ["uv", "pip", "install", "-q", "--python", f"{folder}/bin/python", TOOT],
        ]
    else:
        steps = [[sys.executable, "-m", "venv", str(folder)], [f"{folder}/bin/python", "-m", "pip", "install", "-q", TOOT]]
    for step in steps:
        try:
            done = subprocess.run(step, capture_output=True, text=True, timeout=200, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"{TOOT} can't be installed: the package index is too slow")
        if done.returncode:
            pytest.skip(f"{TOOT} can't be installed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    return folder / "bin" / "toot"


@pytest.fixture
def toot(program: Path, stack: Stack, tmp_path: Path) -> Toot:
    return Toot(program, stack, tmp_path)


@pytest.mark.slow
def test_toot_logs_in_with_a_code_and_says_who_is_there(stack: Stack, toot: Toot) -> None:
    person = stack.new_person("typist")
    assert "Successfully logged in" in toot.log_in(person)
    assert f"{person.name}@localhost:{stack.port} ACTIVE" in toot("auth")
    assert f"@{person.name}" in toot("whoami")
    assert toot.json("whoami")["id"] == person.id
    assert "Microblog" in toot("instance", stack.url)
    toot("logout", f"{person.name}@localhost:{stack.port}")
    assert "not logged in" in toot("auth")


@pytest.mark.slow
def test_toot_cannot_log_in_with_a_password(stack: Stack, toot: Toot) -> None:
    person = stack.new_person()
    assert "Login failed" in toot.fails("login_cli", "-i", stack.url, "-e", f"{person.name}@people.example", "-p", PASSWORD)


@pytest.mark.slow
def test_toot_writes_uploads_and_deletes(stack: Stack, toot: Toot, tmp_path: Path) -> None:
    person = stack.new_person("typist")
    toot.log_in(person)
    file = tmp_path / "teal.jpg"
    file.write_bytes(picture())
    assert toot.json("upload", str(file), "-d", "all teal")["description"] == "all teal"
    status = toot.json("post", "look **here**", "-m", str(file), "-d", "all teal", "-v", "unlisted", "-l", "en", "-p", "teal")
    assert (status["visibility"], status["language"], status["spoiler_text"]) == ("unlisted", "en", "teal")
    assert status["media_attachments"][0]["description"] == "all teal"
    answer = toot.json("post", "and more", "-r", status["id"])
    thread = toot("thread", status["id"])
    assert "look here" in thread
    assert "and more" in thread
    assert [s["id"] for s in toot.json("thread", status["id"])["descendants"]] == [answer["id"]]
    toot("delete", answer["id"])
    assert "Record not found" in toot.fails("status", answer["id"])
    assert "character limit of 5000 exceeded" in toot.fails("post", "x" * 5001)


@pytest.mark.slow
def test_toot_reads_follows_and_finds(stack: Stack, toot: Toot) -> None:
    person, author, word = stack.new_person("typist"), stack.new_person("author"), f"lantern{secrets.token_hex(3)}"
    toot.log_in(person)
    assert "You are now following" in toot("follow", author.name)
    status = author.write(f"a {word} #{word}")
    wait_for(lambda: word in toot("timeline", "-1"), "the post at home")
    assert [s["id"] for s in toot.json("timelines", "home", "--no-pager")] == [status["id"]]
    for where in (("-p", "-l"), ("-t", word), ("-a", author.name)):
        assert word in toot("timeline", "-1", *where), where
    typo = word.replace("lantern", "lantren")
    wait_for(
        lambda: [s["id"] for s in toot.json("search", typo, "-t", "statuses")["statuses"]] == [status["id"]], "the post despite a typo"
    )
    assert author.name in toot("search", author.name)
    assert author.name in toot("following", person.name)
    assert person.name in toot("followers", author.name)
    for verb, undo in (("favourite", "unfavourite"), ("reblog", "unreblog"), ("bookmark", "unbookmark")):
        toot(verb, status["id"])
        toot(undo, status["id"])
    author.write(f"@{person.name} hello there")
    wait_for(lambda: "hello there" in toot("notifications"), "the mention")
    toot("unfollow", author.name)
    toot("block", author.name)
    assert author.name in toot("blocked")
    toot("unblock", author.name)
    toot("mute", author.name)
    assert author.name in toot("muted")


@pytest.mark.slow
def test_toot_keeps_lists_and_follows_hashtags(stack: Stack, toot: Toot) -> None:
    person, author, word = stack.new_person("typist"), stack.new_person("author"), f"lantern{secrets.token_hex(3)}"
    toot.log_in(person)
    assert "You have no lists defined." in toot("lists", "list")
    assert 'List "people" created.' in toot("lists", "create", "people")
    assert toot.json("lists", "list")[0]["replies_policy"] == "none"
    assert "Added account" in toot("lists", "add", "people", author.name)
    assert author.name in toot("lists", "accounts", "people")
    status = author.write(f"a {word} #{word}")
    assert [s["id"] for s in toot.json("timelines", "list", "people", "--no-pager")] == [status["id"]]
    assert "Removed account" in toot("lists", "remove", "people", author.name)
    assert author.name not in toot("lists", "accounts", "people")
    assert "deleted" in toot("lists", "delete", "people")
    assert "You're not following any hashtags" in toot("tags", "followed")
    assert "You are now following" in toot("tags", "follow", f"#{word}")
    assert word in toot("tags", "followed")
    assert "Followed" in toot("tags", "info", word)
    assert [s["id"] for s in toot.json("timelines", "home", "--no-pager")] == [status["id"]]
    assert "no longer following" in toot("tags", "unfollow", word)
    assert toot.json("timelines", "home", "--no-pager") == []


@pytest.mark.slow
def test_toot_changes_a_profile(stack: Stack, toot: Toot, tmp_path: Path) -> None:
    person = stack.new_person()
    toot.log_in(person)
    file = tmp_path / "red.jpg"
    file.write_bytes(picture("red"))
    toot("update-account", "--display-name", "Somebody Else", "--note", "I write", "--avatar", str(file), "--locked")
    account = person.get("/api/v1/accounts/verify_credentials")
    assert (account["display_name"], account["source"]["note"], account["locked"]) == ("Somebody Else", "I write", True)
    assert "Somebody Else" in toot("whois", person.name)


@pytest.mark.slow
def test_toot_asks_and_answers(stack: Stack, toot: Toot) -> None:
    person, author = stack.new_person("typist"), stack.new_person("author")
    toot.log_in(person)
    options = [argument for title in ("foo", "bar", "baz") for argument in ("--poll-option", title)]
    status = toot.json("post", "answer me this", *options, "--poll-expires-in", "8h")
    assert status["poll"]["options"] == [{"title": title, "votes_count": 0} for title in ("foo", "bar", "baz")]
    author.post(f"/api/v1/polls/{status['poll']['id']}/votes", choices=[1])
    shown = toot("polls", "show", status["poll"]["id"])
    assert "100% (1)" in shown
    assert f"Poll {status['poll']['id']} · 1 votes" in shown
    several = toot.json("post", "and these?", *options, "--poll-multiple", "--poll-hide-totals")["poll"]
    assert (several["multiple"], several["options"][0]) == (True, {"title": "foo", "votes_count": None})

    poll = author.write("answer me that", poll={"options": ["foo", "bar", "baz"], "expires_in": 600})["poll"]["id"]
    assert "The chosen vote option does not exist" in toot.fails("polls", "vote", poll, "5")
    assert "You have already voted on this poll" in toot.fails("polls", "vote", poll, "0", "2")
    assert toot("polls", "vote", poll, "0").count("✓ Your vote") == 1
    assert "You have already voted on this poll" in toot.fails("polls", "vote", poll, "0")


@pytest.mark.slow
def test_toot_features_hashtags(stack: Stack, toot: Toot) -> None:
    person, word = stack.new_person("typist"), f"kite{secrets.token_hex(3)}"
    toot.log_in(person)
    toot("tags", "feature", word)
    assert word in toot("tags", "featured")
    assert [tag["name"] for tag in person.get(f"/api/v1/accounts/{person.id}/featured_tags")] == [word]
    toot("tags", "unfeature", word)
    assert person.get("/api/v1/featured_tags") == []
