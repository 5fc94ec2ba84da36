"""Polls: each person votes once, tallies say what votes do, and everybody hears of the end once."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from common.events import PollState, PostState
from common.paging import Page
from common.statements import Connection, Statement
from social.feeds import queries
from social.polls import ending
from social.polls.ending import tell_some
from sqlalchemy import text

if TYPE_CHECKING:
    from fastapi import FastAPI

    from .conftest import World

pytestmark = pytest.mark.anyio


def poll(*options: str, hours: float = 1, **more: Any) -> PollState:
    return PollState(options=list(options or ("tea", "coffee", "water")), expires_at=datetime.now(UTC) + timedelta(hours=hours), **more)


def changed(post: PostState, **more: Any) -> PostState:
    """The next version of a post."""
    return post.model_copy(update={"version": post.version + 1, **more})


async def vote(world: "World", post: PostState, voter: int, *choices: int | str) -> Any:
    return await world.did(f"polls/{post.post_id}/votes", voter, choices=list(choices))


async def refusal(world: "World", post: PostState, voter: int, *choices: int | str) -> str:
    answer = await world.do(f"polls/{post.post_id}/votes", voter, choices=list(choices))
    assert answer.status_code == 422, answer.text
    return str(answer.json()["error"]).removeprefix("Validation failed: ")


async def seen(world: "World", post: PostState, viewer: int = 0) -> Any:
    """A poll by itself, which must be the same as in its status."""
    found = await world.show(f"/api/v1/polls/{post.post_id}", viewer)
    assert (await world.status(post, viewer))["poll"] == found
    return found


def votes(found: Any) -> list[int | None]:
    return [option["votes_count"] for option in found["options"]]


async def tallies(world: "World", post: PostState) -> tuple[list[int], int]:
    """What is counted, which must be what the votes say."""
    ((counted, voters),) = await world.rows("SELECT tallies, voters FROM polls WHERE post_id = :post", post=post.post_id)
    cast = await world.rows("SELECT choices FROM poll_votes WHERE post_id = :post", post=post.post_id)
    assert counted == [sum(place in choices for (choices,) in cast) for place in range(len(counted))]
    assert voters == len(cast)
    return counted, voters


async def end(world: "World", post: PostState) -> None:
    """Time passes."""
    await world.run("UPDATE polls SET expires_at = now() - interval '1 second' WHERE post_id = :post", post=post.post_id)


async def tell_all(world: "World") -> None:
    while await tell_some(world.database):
        pass


# What is seen


async def test_a_poll_is_seen_by_everybody_in_their_own_way(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(ada, poll=poll("tea", "coffee"))
    found = await seen(world, post)
    assert found == {
        "id": str(post.post_id),
        "expires_at": found["expires_at"],
        "expired": False,
        "multiple": False,
        "votes_count": 0,
        "voters_count": 0,
        "options": [{"title": "tea", "votes_count": 0}, {"title": "coffee", "votes_count": 0}],
        "emojis": [],
    }
    assert found["expires_at"].endswith("Z")
    assert await seen(world, post, bob) == found | {"voted": False, "own_votes": []}
    assert await seen(world, post, ada) == found | {"voted": True, "own_votes": []}
    voted = await vote(world, post, bob, 1)
    assert (voted["voted"], voted["own_votes"], votes(voted), voted["votes_count"], voted["voters_count"]) == (True, [1], [0, 1], 1, 1)
    assert await seen(world, post, bob) == voted
    assert votes(await seen(world, post)) == [0, 1]


async def test_a_carried_post_is_answered_with_its_poll(world: "World") -> None:
    (ada,) = await world.people("ada")
    status = (await world.carry(await world.said(ada, poll=poll("tea", "coffee")))).json()
    assert ([option["title"] for option in status["poll"]["options"]], status["poll"]["voted"]) == (["tea", "coffee"], True)


async def test_feeds_and_boosts_show_polls_as_they_stand_now(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await world.follow(cleo, bob)
    post = await world.post(ada, poll=poll())
    await world.post(bob)
    await world.did(f"statuses/{post.post_id}/reblog", bob)
    assert [status["poll"] for status in await world.show("/api/v1/timelines/home", cleo)][1] is None
    await vote(world, post, cleo, 2)
    wrapper = (await world.show("/api/v1/timelines/home", cleo))[0]
    assert (votes(wrapper["reblog"]["poll"]), wrapper["reblog"]["poll"]["own_votes"]) == ([0, 0, 1], [2])
    assert wrapper["poll"] == wrapper["reblog"]["poll"]
    public = await world.show("/api/v1/timelines/public", bob)
    assert [(status["poll"] or {}).get("voted") for status in public] == [None, False]


async def test_hidden_totals_are_told_to_nobody_before_the_end(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    post = await world.post(ada, poll=poll("tea", "coffee", hide_totals=True))
    voted = await vote(world, post, bob, 0)
    assert (votes(voted), voted["votes_count"], voted["own_votes"]) == ([None, None], 1, [0])
    for viewer in (ada, bob, cleo, 0):
        assert votes(await seen(world, post, viewer)) == [None, None]
    await end(world, post)
    for viewer in (ada, bob, cleo, 0):
        assert (votes(await seen(world, post, viewer)), (await seen(world, post))["expired"]) == ([1, 0], True)


async def test_a_poll_is_seen_and_answered_by_those_who_may_see_its_post(world: "World") -> None:
    ada, fan, stranger, blocked = await world.people("ada", "fan", "stranger", "blocked")
    await world.follow(fan, ada)
    await world.did(f"accounts/{blocked}/block", ada)
    private = await world.post(ada, visibility="private", poll=poll())
    public, plain = await world.post(ada, poll=poll()), await world.post(ada)
    for post, viewer, status in (
        (private, fan, 200),
        (private, stranger, 404),
        (private, 0, 404),
        (public, stranger, 200),
        (public, blocked, 404),
        (plain, fan, 404),
    ):
        assert (await world.get(f"/api/v1/polls/{post.post_id}", viewer)).status_code == status
        if viewer:
            assert (await world.do(f"polls/{post.post_id}/votes", viewer, choices=[0])).status_code == status
    assert (await world.get("/api/v1/polls/1")).status_code == 404
    assert (await world.client.post(f"/api/v1/polls/{public.post_id}/votes", json={"choices": [0]})).status_code == 401
    narrow = world.headers(fan, scopes=frozenset({"read", "follow"}))
    assert (await world.client.post(f"/api/v1/polls/{public.post_id}/votes", json={"choices": [0]}, headers=narrow)).status_code == 403


class Counting:
    """A connection that counts what it is asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.asked = 0

    async def rows(self, statement: Statement, values: dict[str, Any]) -> Any:
        self.asked += 1
        return await self._connection.rows(statement, values)


async def test_a_page_is_asked_for_once_with_and_without_polls_on_it(world: "World", app: "FastAPI") -> None:
    ada, bob = await world.people("ada", "bob")
    for number in range(6):
        await world.post(ada, poll=poll() if number % 2 else None)
    async with world.database.reading() as connection:
        counting: Any = Counting(connection)
        for _ in range(2):  # the second time, all that is said is known
            counting.asked = 0
            page = await queries.public(counting, app.state.stored, bob, Page(20))
        assert counting.asked == 1
    assert [orjson.loads(status)["poll"] is not None for status in page.statuses] == [True, False] * 3


# Voting


async def test_several_answers_are_given_at_once_where_several_may_be(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    post = await world.post(ada, poll=poll(multiple=True))
    voted = await vote(world, post, bob, 2, "0", 2)
    assert (voted["multiple"], voted["own_votes"], votes(voted)) == (True, [0, 2], [1, 0, 1])
    form = {"choices[]": ["0", "1"]}
    answer = await world.client.post(f"/api/v1/polls/{post.post_id}/votes", data=form, headers=world.headers(cleo))
    assert (votes(answer.json()), answer.json()["votes_count"], answer.json()["voters_count"]) == ([2, 1, 1], 4, 2)
    assert await refusal(world, post, bob, 1) == "You have already voted on this poll"
    assert await tallies(world, post) == ([2, 1, 1], 2)


@pytest.mark.parametrize("choices", [[3], [-1], [0, 3], ["tea"], [""], ["0x1"], ["٠"], [1.0], [True], [10**30], [None]])
async def test_what_is_no_option_is_refused(world: "World", choices: Sequence[Any]) -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(ada, poll=poll(multiple=True))
    assert await refusal(world, post, bob, *choices) == "The chosen vote option does not exist"
    assert await tallies(world, post) == ([0, 0, 0], 0)


async def test_each_rule_of_voting_has_its_own_words(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(ada, poll=poll())
    assert await refusal(world, post, bob) == "Choices can't be blank"
    assert await refusal(world, post, ada, 0) == "You cannot vote in your own polls"
    assert await refusal(world, post, bob, 0, 1) == "You have already voted on this poll"
    assert (await seen(world, post, bob))["voted"] is False
    await vote(world, post, bob, 0)
    assert await refusal(world, post, bob, 1) == "You have already voted on this poll"
    await end(world, post)
    assert await refusal(world, post, bob, 1) == "The poll has already ended"
    assert await tallies(world, post) == ([1, 0, 0], 1)


async def test_somebody_who_votes_fifty_times_at_once_votes_once(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(ada, poll=poll())
    ballots = [world.do(f"polls/{post.post_id}/votes", bob, choices=[number % 3]) for number in range(50)]
    answers = await asyncio.gather(*ballots)
    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 49
    accepted = next(answer.json() for answer in answers if answer.status_code == 200)
    counted, voters = await tallies(world, post)
    assert (voters, counted) == (1, [int(place in accepted["own_votes"]) for place in range(3)])


async def test_fifty_people_who_vote_at_once_are_all_counted(world: "World") -> None:
    ada, *crowd = await world.people("ada", *(f"fan{number}" for number in range(50)))
    post = await world.post(ada, poll=poll())
    ballots = [world.do(f"polls/{post.post_id}/votes", fan, choices=[place % 3]) for place, fan in enumerate(crowd)]
    assert {answer.status_code for answer in await asyncio.gather(*ballots)} == {200}
    assert await tallies(world, post) == ([17, 17, 16], 50)


# Edits, deletes, erasure


async def test_votes_stay_while_the_question_does_and_go_with_it(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(ada, poll=poll("tea", "coffee"))
    await vote(world, post, bob, 1)
    longer = changed(post, html="<p>edited</p>", poll=poll("tea", "coffee", hours=9, hide_totals=True))
    await world.apply(longer)
    assert ((await seen(world, post, bob))["own_votes"], await tallies(world, post)) == ([1], ([0, 1], 1))
    other = changed(longer, poll=poll("tea", "water", "milk", revision=3))
    await world.apply(other)
    assert ((await seen(world, post, bob))["voted"], await tallies(world, post)) == (False, ([0, 0, 0], 0))
    assert votes(await vote(world, post, bob, 2)) == [0, 0, 1]
    await world.apply(changed(other, poll=None))
    assert (await world.status(post, bob))["poll"] is None
    assert (await world.get(f"/api/v1/polls/{post.post_id}", bob)).status_code == 404
    assert await world.rows("SELECT 1 FROM poll_votes") == []
    await world.apply(other, longer)  # late
    assert (await world.status(post, bob))["poll"] is None


async def test_votes_that_come_while_the_question_changes_count_for_one_of_both(world: "World") -> None:
    ada, *crowd = await world.people("ada", *(f"fan{number}" for number in range(12)))
    post = await world.post(ada, poll=poll("a", "b"))
    other = changed(post, poll=poll("c", "d", revision=2))
    ballots = [world.do(f"polls/{post.post_id}/votes", fan, choices=[1]) for fan in crowd]
    answers = await asyncio.gather(*ballots[:6], world.carry(other), *ballots[6:])
    assert {answer.status_code for answer in answers} == {200}
    counted, voters = await tallies(world, post)
    assert counted == [0, voters]
    assert await world.rows("SELECT DISTINCT revision FROM poll_votes") in ([], [(2,)])


async def test_a_deleted_post_takes_poll_and_votes_along(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(ada, poll=poll())
    await vote(world, post, bob, 0)
    await world.apply(world.gone(post))
    assert (await world.rows("SELECT 1 FROM polls"), await world.rows("SELECT 1 FROM poll_votes")) == ([], [])
    assert (await world.do(f"polls/{post.post_id}/votes", bob, choices=[0])).status_code == 404
    await world.consume(post)
    assert await world.rows("SELECT 1 FROM polls") == []


async def test_a_deleted_account_takes_its_votes_along(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    one, several = await world.post(ada, poll=poll()), await world.post(ada, poll=poll(multiple=True))
    for voter in (bob, cleo):
        await vote(world, one, voter, 1)
        await vote(world, several, voter, 0, voter % 2 + 1)
    kept = (await tallies(world, several))[0]
    await world.account(bob, version=9, deleted=True, state="disabled")
    assert await tallies(world, one) == ([0, 1, 0], 1)
    assert await tallies(world, several) == ([kept[0] - 1, *[votes - (place == bob % 2 + 1) for place, votes in enumerate(kept)][1:]], 1)
    assert await world.rows("SELECT 1 FROM poll_votes WHERE account_id = :bob", bob=bob) == []


# The end


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """People are told two by two."""
    monkeypatch.setattr(ending, "CHUNK", 2)


async def heard(world: "World", *people: int) -> list[list[tuple[str, int, bool]]]:
    """What people were told of polls."""
    return [[notice for notice in await world.notices(person) if notice[0] == "poll"] for person in people]


async def test_when_a_poll_ends_its_author_and_voters_hear_of_it_once(world: "World", small_chunks: None) -> None:
    ada, *crowd = await world.people("ada", *(f"fan{number}" for number in range(5)))
    (stranger,) = await world.people("stranger")
    post = await world.post(ada, poll=poll())
    for fan in crowd:
        await vote(world, post, fan, 0)
    await tell_all(world)
    assert await heard(world, ada, *crowd) == [[]] * 6
    await end(world, post)
    await tell_all(world)
    await tell_all(world)
    assert await heard(world, ada, *crowd, stranger) == [*[[("poll", ada, False)]] * 6, []]


async def test_who_is_blocked_or_has_muted_or_left_hears_nothing(world: "World") -> None:
    ada, bob, cleo, dora = await world.people("ada", "bob", "cleo", "dora")
    post = await world.post(ada, poll=poll())
    for voter in (bob, cleo, dora):
        await vote(world, post, voter, 0)
    await world.did(f"accounts/{bob}/block", ada)
    await world.did(f"accounts/{ada}/mute", cleo)
    await world.account(dora, version=2, state="suspended")
    await end(world, post)
    await tell_all(world)
    assert await heard(world, ada, bob, cleo, dora) == [[("poll", ada, False)], [], [], []]


async def test_several_workers_at_once_tell_everybody_once(world: "World", small_chunks: None) -> None:
    ada, *crowd = await world.people("ada", *(f"fan{number}" for number in range(7)))
    posts = [await world.post(ada, poll=poll()) for _ in range(3)]
    for post in posts:
        for fan in crowd:
            await vote(world, post, fan, 0)
        await end(world, post)
    await asyncio.gather(*(tell_all(world) for _ in range(4)))
    await tell_all(world)
    assert await heard(world, ada, *crowd) == [[("poll", ada, False)] * 3] * 8


async def test_a_worker_that_dies_in_the_middle_is_followed_by_one_that_goes_on(
    world: "World", small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, *crowd = await world.people("ada", *(f"fan{number}" for number in range(5)))
    post = await world.post(ada, poll=poll())
    for fan in crowd:
        await vote(world, post, fan, 0)
    await end(world, post)
    assert await tell_some(world.database)
    with monkeypatch.context() as broken:
        broken.setattr(ending, "_MOVE", text("SELECT 1 / 0"))
        with pytest.raises(Exception, match="division by zero"):
            await tell_some(world.database)
    await tell_all(world)
    assert await heard(world, ada, *crowd) == [[("poll", ada, False)]] * 6


async def test_once_the_first_has_heard_of_the_end_nobody_votes_any_more(world: "World", small_chunks: None) -> None:
    ada, *crowd = await world.people("ada", *(f"fan{number}" for number in range(4)))
    post = await world.post(ada, poll=poll())
    for fan in crowd[1:]:
        await vote(world, post, fan, 0)
    await end(world, post)
    assert await tell_some(world.database)
    await world.run("UPDATE polls SET expires_at = now() + interval '1 second'")  # a clock that is set back
    assert await refusal(world, post, crowd[0], 0) == "The poll has already ended"


async def test_a_poll_that_is_opened_once_more_ends_once_more(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(ada, poll=poll(hours=-1))
    await tell_all(world)
    edited = changed(post, html="<p>edited</p>", poll=post.poll)
    await world.apply(edited)
    await tell_all(world)
    assert await heard(world, ada) == [[("poll", ada, False)]]
    await world.apply(changed(edited, poll=poll()))
    await vote(world, post, bob, 0)
    await end(world, post)
    await tell_all(world)
    assert await heard(world, ada, bob) == [[("poll", ada, False)] * 2, [("poll", ada, False)]]
    told = await world.rows("SELECT DISTINCT convert_from(body, 'UTF8')::jsonb->>'dedupe' FROM outbox WHERE type = 'notice.poll'")
    assert len(told) == 2


async def test_the_loop_tells_of_a_poll_as_soon_as_it_ends(world: "World") -> None:
    (ada,) = await world.people("ada")
    await world.post(ada, poll=poll(hours=0.3 / 3600))
    loop = asyncio.create_task(ending.worker(world.database)())  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(5):
            while await heard(world, ada) != [[("poll", ada, False)]]:
                await asyncio.sleep(0.05)
    finally:
        loop.cancel()
