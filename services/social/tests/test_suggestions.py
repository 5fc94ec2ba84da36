"""Whom somebody may want to follow, and why."""

from typing import TYPE_CHECKING, Any

import pytest
from common.events import TagState
from fastapi import FastAPI
from social.profiles import queries as profiles
from social.suggestions import queries

if TYPE_CHECKING:
    from .conftest import World

from .test_pages import fill, plan

pytestmark = pytest.mark.anyio


async def suggested(world: "World", viewer: int, **query: Any) -> dict[int, list[str]]:
    """Why whom, best first."""
    return {int(one["account"]["id"]): one["sources"] for one in await world.show("/api/v2/suggestions", viewer, **query)}


async def test_reasons_are_told_as_they_are(world: "World", app: FastAPI) -> None:
    ada, friend, theirs, famous, liked, tagged, staff = await world.people("ada", "friend", "theirs", "famous", "liked", "tagged", "staff")
    app.state.settings = app.state.settings.model_copy(update={"featured_accounts": "nobody, Staff"})
    fans = await world.people("fan1", "fan2")
    await world.follow(ada, friend)
    await world.follow(friend, theirs)
    for fan in fans:
        await world.follow(fan, famous)
    post = await world.post(liked)
    await world.did(f"statuses/{post.post_id}/favourite", fans[0])
    for author in (friend, tagged):
        await world.post(author, tags=[TagState(name="tea", display="tea")])
    found = await suggested(world, ada)
    assert found == {
        staff: ["featured"],
        theirs: ["friends_of_friends", "most_followed"],
        tagged: ["similar_to_recently_followed"],
        liked: ["most_interactions"],
        famous: ["most_followed"],
    }
    assert list(found) == [staff, theirs, tagged, liked, famous]
    sources = {int(one["account"]["id"]): one["source"] for one in await world.show("/api/v2/suggestions", ada)}
    assert [sources[who] for who in (staff, theirs, tagged, liked, famous)] == [
        "staff",
        "past_interactions",
        "past_interactions",
        "global",
        "global",
    ]
    assert world.ids(await world.show("/api/v1/suggestions", ada)) == list(found)
    assert list(await suggested(world, ada, limit=2)) == [staff, theirs]


async def test_nobody_is_suggested_whom_one_knows_or_who_should_not_be(world: "World") -> None:
    names = ("followed", "asked", "blocked", "blocker", "muted", "dismissed", "shy", "gone", "stranger")
    ada, fan = await world.people("ada", "fan")
    who = dict(zip(names, await world.people(*names), strict=True))
    await world.follow(fan, ada, *who.values())
    await world.follow(ada, fan)
    assert set(await suggested(world, ada)) == set(who.values())
    await world.follow(ada, who["followed"])
    await world.run("INSERT INTO follow_requests (follower_id, followed_id) VALUES (:ada, :asked)", ada=ada, asked=who["asked"])
    await world.did(f"accounts/{who['blocked']}/block", ada)
    await world.did(f"accounts/{ada}/block", who["blocker"])
    await world.did(f"accounts/{who['muted']}/mute", ada, duration=60)
    for _ in range(2):
        answer = await world.client.delete(f"/api/v1/suggestions/{who['dismissed']}", headers=world.headers(ada))
        assert (answer.status_code, answer.json()) == (200, {})
    headers = world.headers(who["shy"])
    await world.client.patch("/api/v1/accounts/update_credentials", json={"discoverable": False}, headers=headers)
    await world.account(who["gone"], version=2, state="suspended")
    assert set(await suggested(world, ada)) == {who["stranger"]}
    await world.run("UPDATE mutes SET ends_at = now() - interval '1 second'")
    assert set(await suggested(world, ada)) == {who["stranger"], who["muted"]}


async def test_whom_somebody_follows_is_no_reason_if_they_hide_it(world: "World") -> None:
    ada, friend, theirs = await world.people("ada", "friend", "theirs")
    await world.follow(ada, friend)
    await world.follow(friend, theirs)
    await world.client.patch("/api/v1/accounts/update_credentials", json={"hide_collections": True}, headers=world.headers(friend))
    assert await suggested(world, ada) == {theirs: ["most_followed"]}


async def test_a_newcomer_of_a_new_server_is_suggested_nobody(world: "World") -> None:
    ada, _ = await world.people("ada", "bob")
    assert await suggested(world, ada) == {}
    assert (await world.get("/api/v2/suggestions")).status_code == 401


async def test_what_was_dismissed_is_forgotten_with_either(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    for caller, other in ((ada, bob), (bob, cleo), (cleo, ada)):
        await world.client.delete(f"/api/v1/suggestions/{other}", headers=world.headers(caller))
    await world.account(ada, version=2, deleted=True)
    assert await world.rows("SELECT account_id, dismissed_id FROM dismissed_suggestions") == [(bob, cleo)]


@pytest.mark.parametrize("what", ["suggestions", "search", "directory active", "directory new"])
async def test_people_are_looked_for_along_indexes_however_many_there_are(world: "World", what: str) -> None:
    await fill(world)
    await world.run("UPDATE profile_counts SET followers = 40, last_status_on = '2026-01-01'")
    await world.run("""
        INSERT INTO profiles (account_id, username, created_at, shown, account_version)
        SELECT n, 'far' || n, now(), true, 1 FROM generate_series(1000, 21000) n
    """)
    await world.run(
        "INSERT INTO profile_counts (account_id, followers, last_status_on) SELECT n, 1, '2025-01-01' FROM generate_series(1000, 21000) n"
    )
    await world.run("ANALYZE")
    order = ", ".join(f"'{reason}'" for reason in queries.REASONS)
    begins = {"exact": "'person1'", "prefix": "'person1'", "prefix_end": "'person2'", "word": "'person1'", "word_end": "'person2'"}
    statements: dict[str, tuple[str, dict[str, Any]]] = {
        "suggestions": (queries._FOUND, {"featured": "ARRAY[]::text[]", "order": f"ARRAY[{order}]"}),
        "search": (profiles._SEARCH, {**begins, "following": "false", "offset": 0}),
        "directory active": (profiles._DIRECTORY["active"], {"offset": 0}),
        "directory new": (profiles._DIRECTORY["new"], {"offset": 0}),
    }
    statement, parameters = statements[what]
    nodes = await plan(world, statement, viewer=3, limit=20, **parameters)
    assert nodes[0]["Actual Rows"] == 20
    read = [node for node in nodes if "Relation Name" in node and node["Actual Loops"]]
    assert {node["Node Type"] for node in read} <= {"Index Scan", "Index Only Scan"}
    rows = sum((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in read)
    assert rows <= {"suggestions": 12_000, "search": 3_000, "directory active": 100, "directory new": 100}[what]
