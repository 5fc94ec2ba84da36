"""Following, blocking, muting: idempotent, with exact counts."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from social.graph import granting

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio


async def relation(world: "World", caller: int, target: int) -> Any:
    (found,) = await world.show("/api/v1/accounts/relationships", caller, **{"id[]": target})
    return found


async def test_following_twice_is_following_once(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    first, second = [await world.did(f"accounts/{bob}/follow", ada) for _ in range(2)]
    assert first == second
    assert (first["following"], first["requested"], first["showing_reblogs"], first["notifying"]) == (True, False, True, False)
    assert (await relation(world, bob, ada))["followed_by"] is True
    assert (await world.counts(ada), await world.counts(bob)) == ((0, 1, 0), (1, 0, 0))
    for _ in range(2):
        assert (await world.did(f"accounts/{bob}/unfollow", ada))["following"] is False
    assert (await world.counts(ada), await world.counts(bob)) == ((0, 0, 0), (0, 0, 0))
    assert await world.notices(bob) == [("follow", ada, False), ("follow", ada, True)]


async def test_following_again_changes_only_what_is_named(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.did(f"accounts/{bob}/follow", ada, reblogs=False)
    again = await world.did(f"accounts/{bob}/follow", ada, notify=True)
    assert (again["showing_reblogs"], again["notifying"]) == (False, True)


async def test_counts_are_exact_when_a_crowd_follows_at_the_same_time_and_more_than_once(world: "World") -> None:
    star, *crowd = await world.people("star", *(f"fan{n}" for n in range(10)))
    answers = await asyncio.gather(*(world.do(f"accounts/{star}/follow", fan) for fan in crowd * 2))
    assert {answer.status_code for answer in answers} == {200}
    assert await world.counts(star) == (10, 0, 0)
    answers = await asyncio.gather(*(world.do(f"accounts/{star}/unfollow", fan) for fan in crowd[:4] * 3))
    assert {answer.status_code for answer in answers} == {200}
    assert await world.counts(star) == (6, 0, 0)
    assert [kind for kind, _, _ in await world.notices(star)].count("follow") == 14


async def test_counts_are_what_the_relations_say_after_any_interleaving(world: "World") -> None:
    people = await world.people("ada", "bob", "cleo")
    deeds = [
        world.do(f"accounts/{target}/{deed}", caller)
        for caller in people
        for target in people
        if caller != target
        for deed in ("follow", "unfollow", "follow", "remove_from_followers", "block", "unblock", "follow")
    ]
    answers = await asyncio.gather(*deeds)
    assert {answer.status_code for answer in answers} <= {200, 403, 503}  # 503: waited too long for the others, on a busy machine; not done
    counted = await world.rows("""
        SELECT p.account_id, c.followers, c.following, (SELECT count(*) FROM follows WHERE followed_id = p.account_id),
            (SELECT count(*) FROM follows WHERE follower_id = p.account_id)
        FROM profiles p LEFT JOIN profile_counts c USING (account_id)
    """)
    assert [(row[1] or 0, row[2] or 0) for row in counted] == [(row[3], row[4]) for row in counted]


@pytest.mark.parametrize("deed", ["follow", "block", "mute"])
async def test_nobody_relates_to_themselves_or_to_nobody(world: "World", deed: str) -> None:
    (ada,) = await world.people("ada")
    assert (await world.do(f"accounts/{ada}/{deed}", ada)).json()["code"] == "yourself"
    assert (await world.do(f"accounts/999/{deed}", ada)).status_code == 404
    hidden = await world.person("hidden", state="suspended")
    assert (await world.do(f"accounts/{hidden}/{deed}", ada)).status_code == 404


async def test_relations_need_a_person_with_the_scope(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    for deed, scope in (("follow", "write:follows"), ("block", "write:blocks"), ("mute", "write:mutes")):
        path = f"/api/v1/accounts/{bob}/{deed}"
        assert (await world.client.post(path)).status_code == 401
        for scopes, status in ((["read"], 403), (["write:statuses"], 403), ([scope], 200), (["follow"], 200), (["write"], 200)):
            await world.did(f"accounts/{bob}/unblock", ada)
            assert (await world.client.post(path, headers=world.headers(ada, scopes=frozenset(scopes)))).status_code == status


async def locked(world: "World", name: str) -> int:
    account_id = await world.person(name)
    answer = await world.client.patch("/api/v1/accounts/update_credentials", json={"locked": True}, headers=world.headers(account_id))
    assert answer.json()["locked"] is True
    return account_id


async def test_a_locked_account_is_asked_first(world: "World") -> None:
    star, ada = await locked(world, "star"), await world.person("ada")
    post = await world.post(star, visibility="private")
    for _ in range(2):
        asked = await world.did(f"accounts/{star}/follow", ada)
        assert (asked["following"], asked["requested"]) == (False, True)
    assert await world.counts(star) == (0, 0, 1)
    assert world.ids(await world.show("/api/v1/follow_requests", star)) == [ada]
    assert (await world.show("/api/v1/accounts/verify_credentials", star))["source"]["follow_requests_count"] == 1
    assert (await world.get(f"/api/v1/statuses/{post.post_id}", ada)).status_code == 404
    answered = await world.did(f"follow_requests/{ada}/authorize", star)
    assert (answered["followed_by"], answered["requested_by"]) == (True, False)
    assert await world.home(ada) == [post.post_id]
    assert (await world.counts(star), await world.counts(ada)) == ((1, 0, 1), (0, 1, 0))
    assert (await world.do(f"follow_requests/{ada}/authorize", star)).status_code == 404
    assert await world.notices(star) == [("follow_request", ada, False), ("follow_request", ada, True), ("follow", ada, False)]


async def test_a_request_is_refused_or_withdrawn_without_a_trace(world: "World") -> None:
    star, ada, bob = await locked(world, "star"), await world.person("ada"), await world.person("bob")
    for fan in (ada, bob):
        await world.did(f"accounts/{star}/follow", fan, notify=True)
    assert (await world.did(f"follow_requests/{ada}/reject", star))["requested_by"] is False
    assert (await world.did(f"accounts/{star}/unfollow", bob))["requested"] is False
    assert await world.show("/api/v1/follow_requests", star) == []
    assert await world.counts(star) == (0, 0, 0)
    assert await world.rows("SELECT 1 FROM follows") == []


async def test_what_was_asked_for_with_a_request_holds_when_it_is_granted(world: "World") -> None:
    star, ada = await locked(world, "star"), await world.person("ada")
    await world.did(f"accounts/{star}/follow", ada, reblogs=False, notify=True)
    await world.did(f"follow_requests/{ada}/authorize", star)
    found = await relation(world, ada, star)
    assert (found["following"], found["showing_reblogs"], found["notifying"]) == (True, False, True)


async def unlock(world: "World", account_id: int) -> None:
    answer = await world.client.patch("/api/v1/accounts/update_credentials", json={"locked": False}, headers=world.headers(account_id))
    assert answer.json()["locked"] is False


async def test_whoever_unlocks_their_profile_is_followed_by_those_who_asked(world: "World") -> None:
    star, ada, bob = await locked(world, "star"), await world.person("ada"), await world.person("bob")
    post = await world.post(star)
    await world.did(f"accounts/{star}/follow", ada, reblogs=False)
    await world.did(f"accounts/{star}/follow", bob)
    await world.account(bob, version=2, state="suspended")
    await unlock(world, star)
    found = await relation(world, ada, star)
    assert (found["following"], found["requested"], found["showing_reblogs"]) == (True, False, False)
    assert await world.home(ada) == [post.post_id]
    assert await world.counts(star) == (1, 0, 1)
    assert await world.rows("SELECT follower_id FROM follow_requests") == [(bob,)]
    assert await world.rows("SELECT 1 FROM unlocked_profiles") == []


async def test_many_requests_are_granted_by_the_worker_unless_the_profile_is_locked_again(world: "World") -> None:
    star = await locked(world, "star")
    fans = await world.people(*(f"fan{n}" for n in range(granting.AT_ONCE + 5)))
    for fan in fans:
        await world.did(f"accounts/{star}/follow", fan)
    await unlock(world, star)
    assert await world.counts(star) == (granting.AT_ONCE, 0, 0)
    await world.client.patch("/api/v1/accounts/update_credentials", json={"locked": True}, headers=world.headers(star))
    await granting.grant_rest(world.database)
    assert await world.counts(star) == (granting.AT_ONCE, 0, 0)
    await world.run("INSERT INTO unlocked_profiles VALUES (:star)", star=star)
    await asyncio.gather(granting.grant_rest(world.database), granting.grant_rest(world.database))
    assert await world.counts(star) == (len(fans), 0, 0)
    assert await world.rows("SELECT 1 FROM unlocked_profiles") == []


async def test_a_block_ends_every_relation_and_prevents_new_ones(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.follow(ada, bob)
    await world.follow(bob, ada)
    for _ in range(2):
        found = await world.did(f"accounts/{bob}/block", ada)
        assert (found["blocking"], found["following"], found["followed_by"]) == (True, False, False)
    assert (await world.counts(ada), await world.counts(bob)) == ((0, 0, 0), (0, 0, 0))
    assert (await relation(world, bob, ada))["blocked_by"] is True
    for caller, target in ((ada, bob), (bob, ada)):
        assert (await world.do(f"accounts/{target}/follow", caller)).json()["code"] == "blocked"
    for path in (f"accounts/{ada}", f"accounts/{ada}/followers", "accounts/lookup?acct=ada"):
        assert (await world.get(f"/api/v1/{path}", bob)).status_code == 404
    assert await world.show(f"/api/v1/accounts/{bob}/followers", ada) == []
    assert (await world.show("/api/v1/accounts/lookup", ada, acct="bob"))["id"] == str(bob)
    await world.did(f"accounts/{bob}/unblock", ada)
    assert (await world.did(f"accounts/{ada}/follow", bob))["following"] is True


async def test_what_each_was_told_of_the_other_is_taken_back_with_a_block_once(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(ada)
    await world.did(f"statuses/{post.post_id}/favourite", bob)
    for _ in range(2):
        await world.did(f"accounts/{bob}/block", ada)
    assert await world.notices(ada) == [("favourite", bob, False), ("any", bob, True)]
    assert await world.notices(bob) == [("any", ada, True)]


async def test_each_of_two_who_block_each_other_finds_the_other_to_unblock_them(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    for caller, target in ((ada, bob), (bob, ada)):
        await world.did(f"accounts/{target}/block", caller)
    for caller, target in ((ada, bob), (bob, ada)):
        assert (await world.show("/api/v1/accounts/lookup", caller, acct=world.names[target]))["id"] == str(target)
        assert world.ids(await world.show("/api/v1/accounts/search", caller, q=f"@{world.names[target]}")) == [target]
        assert world.ids(await world.show("/api/v1/blocks", caller)) == [target]
    await world.did(f"accounts/{bob}/unblock", ada)
    assert (await world.get(f"/api/v1/accounts/{bob}", ada)).status_code == 404


async def test_removing_a_follower_is_not_unfollowing_them(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.follow(ada, bob)
    await world.follow(bob, ada)
    found = await world.did(f"accounts/{bob}/remove_from_followers", ada)
    assert (found["following"], found["followed_by"]) == (True, False)


@pytest.mark.parametrize("duration", [-1, 315_360_001])
async def test_a_mute_lasts_for_a_time_that_makes_sense(world: "World", duration: int) -> None:
    ada, bob = await world.people("ada", "bob")
    assert (await world.do(f"accounts/{bob}/mute", ada, duration=duration)).json()["code"] == "bad_duration"


async def test_relations_are_told_in_the_order_they_were_asked_for(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await world.follow(ada, cleo)
    told = await world.show("/api/v1/accounts/relationships", ada, **{"id[]": [cleo, 999, bob]})
    assert [(int(one["id"]), one["following"]) for one in told] == [(cleo, True), (999, False), (bob, False)]


async def test_a_relation_has_every_key_that_clients_know(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    assert (await relation(world, ada, bob)).keys() == {
        *("id", "following", "showing_reblogs", "notifying", "languages", "followed_by", "blocking", "blocked_by", "muting"),
        *("muting_notifications", "muting_expires_at", "requested", "requested_by", "domain_blocking", "endorsed", "note"),
    }


async def test_a_request_tells_what_was_asked_for_with_it(world: "World") -> None:
    star, ada = await locked(world, "star"), await world.person("ada")
    asked = await world.did(f"accounts/{star}/follow", ada, reblogs=False, notify=True)
    assert (asked["requested"], asked["showing_reblogs"], asked["notifying"]) == (True, False, True)


@pytest.mark.parametrize("verb", ["endorse", "pin"])
async def test_whom_one_follows_can_be_shown_on_ones_profile(world: "World", verb: str) -> None:
    ada, bob, cleo, eve = await world.people("ada", "bob", "cleo", "eve")
    refused = await world.do(f"accounts/{bob}/{verb}", ada)
    told = "Validation failed: You must be already following the person you want to endorse"
    assert (refused.status_code, refused.json()["error"]) == (422, told)
    await world.follow(ada, bob, cleo)
    for target in (bob, cleo, bob):
        assert (await world.did(f"accounts/{target}/{verb}", ada))["endorsed"] is True
    assert (await relation(world, bob, ada))["endorsed"] is False
    assert world.ids(await world.show("/api/v1/endorsements", ada)) == [cleo, bob]
    assert world.ids(await world.show(f"/api/v1/accounts/{ada}/endorsements")) == [cleo, bob]
    await world.did(f"accounts/{eve}/block", cleo)
    assert world.ids(await world.show(f"/api/v1/accounts/{ada}/endorsements", eve)) == [bob]
    assert (await world.did(f"accounts/{cleo}/un{verb}", ada))["endorsed"] is False
    await world.did(f"accounts/{bob}/unfollow", ada)
    assert await world.show("/api/v1/endorsements", ada) == []
    assert (await world.get("/api/v1/endorsements")).status_code == 401


async def test_people_who_hide_their_lists_show_them_to_nobody_but_themselves(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await world.follow(ada, bob)
    await world.follow(bob, ada)
    await world.client.patch("/api/v1/accounts/update_credentials", json={"hide_collections": True}, headers=world.headers(ada))
    for which in ("followers", "following"):
        found = {viewer: world.ids(await world.show(f"/api/v1/accounts/{ada}/{which}", viewer)) for viewer in (ada, bob, cleo, 0)}
        assert found == {ada: [bob], bob: [], cleo: [], 0: []}
    account = await world.show(f"/api/v1/accounts/{ada}", bob)
    assert (account["hide_collections"], account["followers_count"], account["following_count"]) == (True, 1, 1)


async def test_familiar_followers_are_those_whom_one_follows(world: "World") -> None:
    ada, star, friend, shy, muted, stranger = await world.people("ada", "star", "friend", "shy", "muted", "stranger")
    for fan in (friend, shy, muted, stranger):
        await world.follow(fan, star)
    await world.follow(ada, friend, shy, muted)
    await world.did(f"accounts/{muted}/mute", ada)
    await world.client.patch("/api/v1/accounts/update_credentials", json={"hide_collections": True}, headers=world.headers(shy))

    async def familiar(viewer: int, *targets: int) -> list[tuple[int, list[int]]]:
        found = await world.show("/api/v1/accounts/familiar_followers", viewer, **{"id[]": targets})
        return [(int(entry["id"]), world.ids(entry["accounts"])) for entry in found]

    assert await familiar(ada, friend, star, 999) == [(friend, []), (star, [friend])]
    assert await familiar(stranger, star) == [(star, [])]
    asked = await world.client.request("GET", "/api/v1/accounts/familiar_followers", json={"id": [str(star)]}, headers=world.headers(ada))
    assert [entry["id"] for entry in asked.json()] == [str(star)]
    await world.client.patch("/api/v1/accounts/update_credentials", json={"hide_collections": True}, headers=world.headers(star))
    assert await familiar(ada, star) == [(star, [])]


async def test_a_list_of_mutes_tells_when_each_ends_and_has_none_that_ended(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await world.did(f"accounts/{bob}/mute", ada)
    await world.did(f"accounts/{cleo}/mute", ada, duration=60)
    listed = await world.show("/api/v1/mutes", ada)
    assert world.ids(listed) == [cleo, bob]
    assert (listed[0]["mute_expires_at"] is None, listed[1]["mute_expires_at"]) == (False, None)
    await world.run("UPDATE mutes SET ends_at = now() - interval '1 second' WHERE muted_id = :cleo", cleo=cleo)
    assert world.ids(await world.show("/api/v1/mutes", ada)) == [bob]


async def test_a_note_about_somebody_is_ones_own(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    assert (await world.did(f"accounts/{bob}/note", ada, comment="  met at the harbour ☕ "))["note"] == "met at the harbour ☕"
    assert (await world.did(f"accounts/{bob}/note", ada, comment="moved away"))["note"] == "moved away"
    assert (await world.did(f"accounts/{ada}/follow", bob))["note"] == ""
    assert (await world.did(f"accounts/{bob}/note", ada))["note"] == ""
    assert (await world.do(f"accounts/{bob}/note", ada, comment="x" * 2001)).status_code == 422
    assert (await world.do("accounts/999/note", ada, comment="who?")).status_code == 404
    assert (await world.do(f"accounts/{bob}/note", 0, comment="nobody")).status_code == 401


async def test_mutes_are_listed_with_their_end_and_only_until_then(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await world.did(f"accounts/{bob}/mute", ada, duration=60)
    await world.did(f"accounts/{cleo}/mute", ada)
    listed = {entry["acct"]: entry["mute_expires_at"] for entry in await world.show("/api/v1/mutes", ada)}
    assert listed == {"bob": (await relation(world, ada, bob))["muting_expires_at"], "cleo": None}
    assert listed["bob"].endswith("Z")
    await world.run("UPDATE mutes SET ends_at = now() - interval '1 second' WHERE muted_id = :bob", bob=bob)
    assert world.ids(await world.show("/api/v1/mutes", ada)) == [cleo]
    await world.did(f"accounts/{bob}/mute", ada)
    assert (await relation(world, ada, bob))["muting_expires_at"] is None


async def test_a_mute_keeps_notices_away_unless_told_otherwise_and_while_it_lasts(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(ada)

    async def told() -> list[str]:
        return [kind for kind, _, _ in await world.notices(ada)]

    muted = await world.did(f"accounts/{bob}/mute", ada, notifications=False)
    assert (muted["muting"], muted["muting_notifications"]) == (True, False)
    await world.answer(bob, post)
    assert await told() == ["mention"]
    assert (await world.did(f"accounts/{bob}/mute", ada, duration=60))["muting_notifications"] is True
    await world.answer(bob, post)
    assert await told() == ["mention"]
    await world.run("UPDATE mutes SET ends_at = now() - interval '1 second'")
    await world.answer(bob, post)
    assert await told() == ["mention", "mention"]
