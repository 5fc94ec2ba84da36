"""What may be asked, and what an edit does to it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from common.db import Database
from common.events import PostState
from posts import domain
from posts.domain import Draft, Poll
from sqlalchemy import text

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEA = {"options": ["tea", "coffee"], "expires_in": 3600}


async def asked(client: httpx.AsyncClient, **poll: Any) -> Any:
    """The committed state of a post that asks something."""
    answer = await client.post("/api/v1/statuses", json={"status": "what will it be?", "poll": {**TEA, **poll}})
    assert answer.status_code == 200, answer.text
    return answer.json()["event"]


async def edited(client: httpx.AsyncClient, post: Any, **fields: Any) -> Any:
    answer = await client.put(f"/api/v1/statuses/{post['post_id']}", json={"status": "what will it be?", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["event"]


def test_the_first_deadline_must_be_said() -> None:
    with pytest.raises(domain.BadDeadline, match="can't be blank"):
        domain.poll_at(NOON, Poll(("a", "b")), version=1)


def test_votes_stay_while_options_and_manner_do() -> None:
    first = domain.poll_at(NOON, Poll(("a", "b"), 3600), version=1)
    longer = domain.poll_at(NOON, Poll(("a", "b"), 7200, hide_totals=True), version=2, before=first)
    assert (longer.revision, longer.expires_at) == (1, NOON + timedelta(hours=2))
    kept = domain.poll_at(NOON + timedelta(days=1), Poll(("a", "b")), version=3, before=longer)
    assert (kept.revision, kept.expires_at) == (1, longer.expires_at)
    for changed in (Poll(("b", "a")), Poll(("a", "b", "c")), Poll(("a", "b"), multiple=True)):
        assert domain.poll_at(NOON, changed, version=4, before=kept).revision == 4


def test_what_begins_anew_needs_time_to_be_answered() -> None:
    over = domain.poll_at(NOON, Poll(("a", "b"), 300), version=1)
    with pytest.raises(domain.BadDeadline, match="too soon"):
        domain.poll_at(NOON + timedelta(hours=1), Poll(("a", "c")), version=2, before=over)


def test_a_poll_needs_words_beside_it() -> None:
    with pytest.raises(domain.EmptyPost):
        domain.check(Draft(1, "ada", poll=Poll(("a", "b"), 300)), 100)


@pytest.mark.parametrize("seconds", [domain.MIN_POLL_SECONDS, domain.MAX_POLL_SECONDS])
async def test_the_longest_and_the_shortest_poll_are_asked(client: httpx.AsyncClient, seconds: int) -> None:
    before = datetime.now(UTC)
    event = await asked(client, expires_in=str(seconds), options=["x" * 50, "y", "z", "ü" * 50])
    ends = datetime.fromisoformat(event["poll"]["expires_at"])
    assert timedelta(0) <= ends - before - timedelta(seconds=seconds) < timedelta(seconds=5)
    assert {name: event["poll"][name] for name in ("multiple", "hide_totals", "revision")} == {
        "multiple": False,
        "hide_totals": False,
        "revision": 1,
    }


@pytest.mark.parametrize(
    ("poll", "said"),
    [
        ({"options": ["tea"]}, "Choices must have more than one item"),
        ({"options": ["tea", "", "   "]}, "Choices must have more than one item"),
        ({"options": []}, "Choices must have more than one item"),
        ({"options": ["a", "b", "c", "d", "e"]}, "Choices can't contain more than 4 items"),
        ({"options": ["a", "b" * 51]}, "Choices cannot be longer than 50 characters each"),
        ({"options": ["tea", " tea "]}, "Choices contain duplicate items"),
        ({"expires_in": None}, "Deadline can't be blank"),
        ({"expires_in": ""}, "Deadline can't be blank"),
        ({"expires_in": 299}, "Deadline is too soon"),
        ({"expires_in": -1}, "Deadline is too soon"),
        ({"expires_in": 2_629_747}, "Deadline is too far into the future"),
    ],
)
async def test_what_may_not_be_asked_is_told_in_the_words_of_mastodon(
    client: httpx.AsyncClient, database: Database, poll: dict[str, Any], said: str
) -> None:
    answer = await client.post("/api/v1/statuses", json={"status": "well?", "poll": {**TEA, **poll}})
    assert (answer.status_code, answer.json()["error"]) == (422, f"Validation failed: {said}")
    post = await asked(client)
    answer = await client.put(f"/api/v1/statuses/{post['post_id']}", json={"status": "well?", "poll": {**TEA, **poll}})
    if poll not in ({"expires_in": None}, {"expires_in": ""}):
        assert (answer.status_code, answer.json()["error"]) == (422, f"Validation failed: {said}")
    else:
        assert answer.json()["event"]["poll"] == post["poll"]


async def test_a_post_has_pictures_or_a_poll(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/statuses", json={"status": "well?", "poll": TEA, "media_ids": ["1"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "media_beside_poll")


@pytest.mark.parametrize("poll", [None, {}, ""])
async def test_no_poll_is_no_poll(client: httpx.AsyncClient, poll: Any) -> None:
    answer = await client.post("/api/v1/statuses", json={"status": "hello", "poll": poll})
    assert answer.json()["event"]["poll"] is None


async def test_forms_ask_in_all_their_ways_and_blank_answers_are_left_out(client: httpx.AsyncClient) -> None:
    form: dict[str, Any] = {
        "status": "well?",
        "poll[options][]": [" tea ", "", "coffee"],
        "poll[expires_in]": "600",
        "poll[multiple]": "true",
        "poll[hide_totals]": "",
    }
    event = (await client.post("/api/v1/statuses", data=form)).json()["event"]
    assert {name: event["poll"][name] for name in ("options", "multiple", "hide_totals")} == {
        "options": ["tea", "coffee"],
        "multiple": True,
        "hide_totals": False,
    }
    numbered = {"status": "well?", "poll[options][0]": "tea", "poll[options][1]": "coffee", "poll[expires_in]": "600"}
    assert (await client.post("/api/v1/statuses", data=numbered)).json()["event"]["poll"]["options"] == ["tea", "coffee"]


async def test_an_edit_that_names_the_same_poll_keeps_votes_and_deadline(client: httpx.AsyncClient, database: Database) -> None:
    post = await asked(client)
    same = await edited(client, post, language=post["language"], poll={"options": TEA["options"]})
    assert (same["version"], same["poll"]) == (1, post["poll"])
    hidden = await edited(client, post, poll={"options": TEA["options"], "hide_totals": True})
    assert (hidden["version"], hidden["poll"]) == (2, post["poll"] | {"hide_totals": True})
    longer = await edited(client, post, poll=TEA | {"hide_totals": True})
    assert longer["poll"]["revision"] == 1
    assert longer["poll"]["expires_at"] > post["poll"]["expires_at"]


async def test_other_options_begin_the_poll_anew_and_history_has_both(client: httpx.AsyncClient) -> None:
    post = await asked(client)
    changed = await edited(client, post, poll=TEA | {"options": ["tea", "water"]})
    assert (changed["poll"]["options"], changed["poll"]["revision"]) == (["tea", "water"], 2)
    gone = await edited(client, post, status="never mind")
    assert (gone["poll"], gone["version"]) == (None, 3)
    again = await edited(client, post, poll=TEA)
    assert again["poll"]["revision"] == 4
    history = (await client.get(f"/api/v1/statuses/{post['post_id']}/history")).json()
    options = [entry["poll"] and [option["title"] for option in entry["poll"]["options"]] for entry in history]
    assert options == [["tea", "coffee"], ["tea", "water"], None, ["tea", "coffee"]]


async def test_authors_get_back_what_they_asked_for_editing_and_after_deleting(client: httpx.AsyncClient, database: Database) -> None:
    post = await asked(client, hide_totals=True)
    source = (await client.get(f"/api/v1/statuses/{post['post_id']}/source")).json()
    assert (source["poll"]["options"], source["poll"]["hide_totals"]) == (TEA["options"], True)
    assert source["poll"]["expires_at"].endswith("Z")
    removed = (await client.delete(f"/api/v1/statuses/{post['post_id']}")).json()
    assert (removed["poll"]["options"], removed["event"]["poll"]) == (TEA["options"], None)
    async with database.sessions() as session:
        assert await session.scalar(text("SELECT count(*) FROM posts WHERE poll IS NOT NULL")) == 0
    plain = (await client.post("/api/v1/statuses", json={"status": "hello"})).json()["post_id"]
    assert (await client.get(f"/api/v1/statuses/{plain}/source")).json()["poll"] is None


async def test_clients_are_told_the_limits(client: httpx.AsyncClient) -> None:
    assert (await client.get("/internal/instance")).json()["configuration"]["polls"] == {
        "max_options": 4,
        "max_characters_per_option": 50,
        "min_expiration": 300,
        "max_expiration": 2_629_746,
    }


def test_a_post_from_before_there_were_polls_is_still_read() -> None:
    post = PostState.model_validate_json('{"version":1,"post_id":9,"author_id":7,"created_at":"2026-01-01T00:00:00Z"}')
    assert post.poll is None
