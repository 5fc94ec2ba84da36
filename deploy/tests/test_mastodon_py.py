"""The library Mastodon.py, as it is."""

import contextlib
import io
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from apps import consent
from mastodon import Mastodon
from mastodon.errors import MastodonAPIError, MastodonIllegalArgumentError, MastodonNotFoundError, MastodonUnauthorizedError
from pages import PASSWORD
from PIL import Image
from stack import Person, Stack, picture, wait_for


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


def test_mastodon_py_writes_for_everybody_for_followers_and_for_one(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    people = {name: stack.new_person(name) for name in ("author", "fan", "named", "stranger")}
    author, fan, named, stranger = (log_in(person) for person in people.values())
    fan.account_follow(author.me())
    mention = f"@{people['named'].name}"
    posts = {
        visibility: author.status_post(f"{visibility} {mention}", visibility=visibility)
        for visibility in ("public", "unlisted", "private", "direct")
    }
    assert {visibility: status.visibility for visibility, status in posts.items()} == {visibility: visibility for visibility in posts}

    def seen(api: Mastodon) -> set[str]:
        found = set()
        for status in posts.values():
            with contextlib.suppress(MastodonNotFoundError):
                found.add(api.status(status).visibility)
        return found

    assert seen(stranger) == {"public", "unlisted"}
    assert seen(fan) == {"public", "unlisted", "private"}
    assert seen(named) == set(posts)
    assert posts["unlisted"].id not in [status.id for status in stranger.timeline_public(limit=40)]
    assert [status.visibility for status in stranger.account_statuses(author.me())] == ["unlisted", "public"]
    assert [talk.last_status.id for talk in named.conversations()] == [posts["direct"].id]
    with pytest.raises(MastodonAPIError):
        fan.status_reblog(posts["private"])


def test_mastodon_py_blocks_mutes_and_answers_who_asks_to_follow(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    person, other, third = (log_in(stack.new_person(name)) for name in ("person", "other", "third"))
    status = other.status_post("can this be seen?")
    assert person.account_block(other.me()).blocking is True
    assert [account.id for account in person.blocks()] == [other.me().id]
    with pytest.raises(MastodonNotFoundError):
        person.status(status)
    with pytest.raises(MastodonAPIError):
        other.account_follow(person.me())
    assert person.account_unblock(other.me()).blocking is False
    assert person.status(status).id == status.id
    assert person.account_mute(other.me()).muting is True
    assert [account.id for account in person.mutes()] == [other.me().id]
    assert person.account_unmute(other.me()).muting is False
    person.account_update_credentials(locked=True)
    for fan in (other, third):
        assert fan.account_follow(person.me()).requested is True
    assert {account.id for account in person.follow_requests()} == {other.me().id, third.me().id}
    person.follow_request_authorize(other.me())
    person.follow_request_reject(third.me())
    relations = person.account_relationships([other.me().id, third.me().id])
    assert {relation.id: relation.followed_by for relation in relations} == {other.me().id: True, third.me().id: False}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_mastodon_py_uploads_every_kind_of_picture(stack: Stack, log_in: Callable[[Person], Mastodon], kind: str) -> None:
    api, drawn = log_in(stack.new_person()), io.BytesIO()
    Image.new("RGB", (640, 480), "teal").save(drawn, kind)
    media = api.media_post(drawn.getvalue(), mime_type=f"image/{kind.lower()}", description="all teal", synchronous=True)
    assert (media.type, media.description) == ("image", "all teal")
    status = api.status_post("", media_ids=[media], spoiler_text="teal", sensitive=True)
    assert (status.sensitive, status.spoiler_text) == (True, "teal")
    shown = Image.open(io.BytesIO(httpx.get(status.media_attachments[0].url).content))
    assert shown.size == (640, 480)
    with pytest.raises(MastodonAPIError, match="422"):
        api.media_post(b"no picture at all", mime_type=f"image/{kind.lower()}")


def test_mastodon_py_is_refused_what_a_key_was_not_sent_with(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    api = log_in(stack.new_person())
    first = api.status_post("one", idempotency_key="same")
    with pytest.raises(MastodonAPIError, match="422"):
        api.status_post("two", idempotency_key="same")
    assert [status.id for status in api.account_statuses(api.me())] == [first.id]


def test_mastodon_py_reads_on_in_both_directions_while_posts_arrive(stack: Stack, log_in: Callable[[Person], Mastodon]) -> None:
    author = stack.new_person("author")
    api = log_in(author)
    written = [author.write(f"number {number}")["id"] for number in range(7)]
    page = api.account_statuses(api.me(), limit=3)
    newest = page
    read = [status.id for status in page]
    while page := api.fetch_next(page):
        written.append(author.write("in between")["id"])
        read += [status.id for status in page]
    assert read == written[6::-1]
    later: list[str] = []
    page = newest
    while page := api.fetch_previous(page):
        later = [status.id for status in page] + later
    assert later == written[:6:-1]
    assert api.preferences()["posting:default:visibility"] == "public"
