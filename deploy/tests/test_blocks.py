"""A block works both ways on every way in that reads: the gateway's own table of routes is walked, so that none is forgotten."""

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest
from gateway.routes import ROUTES
from stack import Person, Stack, wait_for

TAG = "quarrels"

# What each route is asked with, for a viewer and the other one between whom a block stands. {third} is a friend of both, who boosts, likes
# and answers what they write. A new route that reads fails the test below until it stands here.
WAYS: dict[str, list[str]] = {
    "/api/v1/accounts": ["?id[]={other}"],
    "/api/v1/accounts/familiar_followers": ["?id[]={other}", "?id[]={third}"],
    "/api/v1/accounts/lookup": ["?acct={other_name}"],
    "/api/v1/accounts/relationships": ["?id[]={third}"],
    "/api/v1/accounts/search": ["?q={other_name}", "?q={shared_name}", "?q={shared_name}&following=true"],
    "/api/v1/accounts/verify_credentials": [""],
    "/api/v1/accounts/{id}": ["{other}"],
    "/api/v1/accounts/{id}/endorsements": ["{third}", "{other}"],
    "/api/v1/accounts/{id}/featured_tags": ["{other}"],
    "/api/v1/accounts/{id}/followers": ["{third}", "{other}", "{me}"],
    "/api/v1/accounts/{id}/following": ["{third}", "{other}", "{me}"],
    "/api/v1/accounts/{id}/statuses": [
        *(
            "{other}",
            "{third}",
            "{third}?exclude_replies=true",
            "{other}?pinned=true",
            "{other}?only_media=true",
            "{other}?tagged=quarrels",
        ),
    ],
    "/api/v1/accounts/{id}/lists": ["{other}", "{third}"],
    "/api/v1/blocks": [""],
    "/api/v1/bookmarks": [""],
    "/api/v1/conversations": [""],
    "/api/v1/directory": ["?order=active&limit=80", "?order=new&limit=80"],
    "/api/v1/endorsements": [""],
    "/api/v1/favourites": [""],
    "/api/v1/featured_tags": [""],
    "/api/v1/featured_tags/suggestions": [""],
    "/api/v1/follow_requests": [""],
    "/api/v1/followed_tags": [""],
    "/api/v1/lists": [""],
    "/api/v1/lists/{id}": ["{list}"],
    "/api/v1/lists/{id}/accounts": ["{list}"],
    "/api/v1/mutes": [""],
    "/api/v1/notifications": ["?limit=80", "?account_id={other}"],
    "/api/v1/notifications/{id}": ["{notification}"],
    "/api/v1/polls/{id}": ["{poll}"],
    "/api/v1/statuses": ["?id[]={post}&id[]={boost}"],
    "/api/v1/statuses/{id}": ["{post}", "{boost}", "{private}"],
    "/api/v1/statuses/{id}/context": ["{own}", "{third_post}", "{post}"],
    "/api/v1/statuses/{id}/favourited_by": ["{third_post}", "{own}", "{post}"],
    "/api/v1/statuses/{id}/history": ["{post}"],
    "/api/v1/statuses/{id}/reblogged_by": ["{third_post}", "{own}", "{post}"],
    "/api/v1/statuses/{id}/source": ["{post}"],
    "/api/v1/suggestions": ["?limit=80"],
    "/api/v1/tags/{name}": ["{tag}"],
    "/api/v1/timelines/home": ["?limit=40"],
    "/api/v1/timelines/list/{id}": ["{list}?limit=40"],
    "/api/v1/timelines/public": ["?limit=40"],
    "/api/v1/timelines/tag/{name}": ["{tag}?limit=40"],
    "/api/v2/search": [
        *("?q={word}", "?q={word}&type=statuses", "?q={other_name}", "?q=@{other_name}", "?q={typo}", "?q=%23{tag}"),
        *("?q={url}/@{other_name}/{post}", "?q={url}/@{other_name}", "?q={word}&account_id={other}"),
    ],
    "/api/v2/suggestions": ["?limit=80"],
}
TELL_OF_NOBODY = {
    *("/api/v1/filters", "/api/v1/filters/{id}", "/api/v2/filters", "/api/v2/filters/{id}", "/api/v2/filters/{id}/keywords"),
    *("/api/v2/filters/keywords/{id}", "/api/v2/filters/{id}/statuses", "/api/v2/filters/statuses/{id}"),
    *("/api/v1/announcements", "/api/v1/apps/verify_credentials", "/api/v1/custom_emojis", "/api/v1/markers", "/api/v1/preferences"),
    *("/api/v1/instance", "/api/v2/instance", "/api/v1/instance/rules", "/api/v1/instance/translation_languages", "/api/openapi.json"),
    *("/api/v1/microblog/mail_preferences", "/api/v1/notifications/unread_count", "/nodeinfo/2.0"),
    *("/.well-known/host-meta", "/.well-known/nodeinfo", "/.well-known/oauth-authorization-server"),
    *("/health/live", "/health/ready", "/health/self"),
}
"""The server itself, or only oneself and what one typed; unread notifications are counted in a test of their own."""
OPEN_TO_ALL = {"/media/posts/{rest}", "/media/profiles/{rest}", "/.well-known/webfinger", "/api/v1/media/{id}"}
"""Files by names that nobody guesses, one's own uploads, and who exists, which the whole web may ask without saying who asks."""

FINDS_TO_UNBLOCK = {
    *("/api/v1/accounts?id[]={other}", "/api/v1/accounts/lookup?acct={other_name}", "/api/v1/accounts/search?q={other_name}"),
    *("/api/v1/accounts/{other}", "/api/v1/blocks"),
    *("/api/v2/search?q={other_name}", "/api/v2/search?q=@{other_name}", "/api/v2/search?q={url}/@{other_name}"),
}
"""Where whoever blocks finds the blocked account by its name or id, and nothing that it said."""

HIDE_WHO_IS_MUTED = [
    "/api/v1/timelines/list/{list}?limit=40",
    *("/api/v1/timelines/home?limit=40", "/api/v1/timelines/public?limit=40", "/api/v1/timelines/tag/{tag}?limit=40"),
    *("/api/v1/statuses/{own}/context", "/api/v1/statuses/{third_post}/favourited_by", "/api/v1/statuses/{third_post}/reblogged_by"),
    *("/api/v1/accounts/{third}/followers", "/api/v1/accounts/{third}/following", "/api/v1/accounts/{third}/endorsements"),
    *("/api/v1/directory?order=active&limit=80", "/api/v1/directory?order=new&limit=80", "/api/v2/search?q={word}&type=statuses"),
]

PAGES = ["/", "/public", "/tags/quarrels", "/people?order=active", "/people?order=new", "/@{third_name}", "/@{third_name}/with_replies"]
PAGES += ["/@{third_name}/followers", "/@{third_name}/following", "/@{me_name}/followers", "/@{me_name}/following", "/@{me_name}/{own}"]
PAGES += ["/lists/{list}", "/@{third_name}/{third_post}", "/favourites", "/bookmarks", "/notifications"]


@dataclass
class Quarrel:
    """Two who know each other, a third who knows both, and what they wrote; `values` fills the ways of each of the two."""

    blocker: Person
    blocked: Person
    third: Person
    values: dict[str, dict[str, str]]
    marks: dict[str, list[str]]
    """By whose they are: what must not be seen of them."""

    def ways(self, viewer: Person) -> list[tuple[str, str]]:
        """Every way as it stands in the table, and as it is asked."""
        found = []
        for template, queries in WAYS.items():
            for query in queries:
                way = template + query if query.startswith("?") or not query else place(template, query)
                found.append((way, self.fill(way, viewer)))
        return found

    def fill(self, way: str, viewer: Person) -> str:
        return way.format(**self.values[viewer.name])

    def seen(self, viewer: Person, path: str) -> list[str]:
        """What is told of the other one there."""
        answer = viewer.client.get(path)
        assert answer.status_code < 500, f"{path}: {answer.text}"
        other = self.blocked if viewer is self.blocker else self.blocker
        told = json.dumps(without_own(answer.json(), viewer), separators=(",", ":"), ensure_ascii=False)
        return [mark for mark in self.marks[other.name] if mark in told]


def without_own(told: Any, viewer: Person) -> Any:
    """An answer without what the viewer wrote themselves, which may name the other."""
    if isinstance(told, list):
        return [without_own(one, viewer) for one in told]
    if not isinstance(told, dict):
        return told
    if "content" in told and told.get("account", {}).get("id") == viewer.id and not told.get("reblog"):
        return None
    return {name: without_own(value, viewer) for name, value in told.items()}


def place(template: str, query: str) -> str:
    """A template with its one variable replaced, what follows a question mark at its end."""
    value, question, rest = query.partition("?")
    head, _, tail = template.partition("{")
    return f"{head}{value}{tail.partition('}')[2]}{question}{rest}"


def live_together(stack: Stack) -> Quarrel:
    """Two people who follow, answer, like, boost and endorse each other and a third one, who does it all to both."""
    third = stack.new_person("friend")
    pair = [stack.new_person("quarrel"), stack.new_person("quarrel")]
    everybody = [*pair, third]
    for one in everybody:
        for other in everybody:
            if one is not other:
                one.follow(other)
                one.post(f"/api/v1/accounts/{other.id}/endorse")
    words = {one.name: f"lantern{one.name.rpartition('_')[2]}" for one in everybody}
    posts = {one.name: one.write(f"{words[one.name]} #{TAG}")["id"] for one in everybody}
    private = {one.name: one.write(f"{words[one.name]} for followers", visibility="private")["id"] for one in pair}
    polls = {
        one.name: one.write("which?", poll={"options": [f"{words[one.name]} tea", "none"], "expires_in": 3600})["poll"]["id"]
        for one in pair
    }
    lists = {}
    for one, other in (pair, pair[::-1]):
        one.write(f"@{other.name} {words[one.name]}, are you there?", visibility="direct")
        lists[one.name] = one.post("/api/v1/lists", title="both")["id"]
        one.post(f"/api/v1/lists/{lists[one.name]}/accounts", account_ids=[other.id, third.id])
    boosts = {}
    for one in everybody:
        one.post("/api/v1/featured_tags", name=TAG)
        for other in everybody:
            if one is not other:
                one.write(f"{words[one.name]} in answer", in_reply_to_id=posts[other.name])
                for verb in ("favourite", "bookmark"):
                    one.post(f"/api/v1/statuses/{posts[other.name]}/{verb}")
                boosts[one.name, other.name] = one.post(f"/api/v1/statuses/{posts[other.name]}/reblog")["id"]
    values, marks = {}, {}
    for me, other in (pair, pair[::-1]):
        notification = wait_for(
            lambda me=me, other=other: told_of(me, other, 4),  # type: ignore[misc]
            "what each is told of the other",
        )
        wait_for(lambda me=me, other=other: found(me, words[other.name], 3), "the posts by their words")  # type: ignore[misc]
        values[me.name] = {
            **{"me": me.id, "me_name": me.name, "own": posts[me.name], "other": other.id, "other_name": other.name, "url": stack.url},
            **{
                "post": posts[other.name],
                "private": private[other.name],
                "word": words[other.name],
                "boost": boosts[third.name, other.name],
            },
            **{"third": third.id, "third_name": third.name, "third_post": posts[third.name], "tag": TAG, "shared_name": "quarrel_"},
            **{"typo": other.name.replace("rr", "r"), "notification": notification, "poll": polls[other.name], "list": lists[me.name]},
        }
        marks[other.name] = [other.name, words[other.name], f'"id":"{other.id}"', f'"id":"{posts[other.name]}"']
    return Quarrel(pair[0], pair[1], third, values, marks)


def told_of(me: Person, other: Person, many: int) -> str | None:
    """The latest notification of what the other did, once there are so many."""
    found = me.get("/api/v1/notifications", account_id=other.id)
    return str(found[0]["id"]) if len(found) >= many else None


def found(me: Person, word: str, many: int) -> bool:
    return len(me.get("/api/v2/search", q=word, type="statuses")["statuses"]) >= many


@pytest.fixture(scope="module")
def quarrel(stack: Stack) -> Quarrel:
    """The block stands."""
    made = live_together(stack)
    for viewer in (made.blocker, made.blocked):
        blind = {way for way, path in made.ways(viewer) if "account" not in way and not made.seen(viewer, path)}
        assert len(blind) < 25, f"too little is there to be hidden: {blind}"
    made.blocker.post(f"/api/v1/accounts/{made.blocked.id}/block")
    return made


def test_every_way_that_reads_is_walked() -> None:
    reading = {route.template for route in ROUTES if route.method == "GET"}
    assert reading == WAYS.keys() | TELL_OF_NOBODY | OPEN_TO_ALL


def test_the_blocked_see_nothing_of_who_blocks_them(quarrel: Quarrel) -> None:
    seen = {way: found for way, path in quarrel.ways(quarrel.blocked) if (found := quarrel.seen(quarrel.blocked, path))}
    assert seen == {}


def test_who_blocks_sees_nothing_of_the_blocked_but_the_account_by_its_name(quarrel: Quarrel) -> None:
    seen = {way: found for way, path in quarrel.ways(quarrel.blocker) if (found := quarrel.seen(quarrel.blocker, path))}
    assert seen.keys() == FINDS_TO_UNBLOCK
    word = quarrel.values[quarrel.blocker.name]["word"]
    assert [way for way, marks in seen.items() if word in marks] == []


def test_nothing_is_done_to_the_other_ones_posts_and_nobody_is_told_of_anything(quarrel: Quarrel) -> None:
    for viewer, other in ((quarrel.blocker, quarrel.blocked), (quarrel.blocked, quarrel.blocker)):
        post = quarrel.values[viewer.name]["post"]
        for verb in ("favourite", "reblog", "bookmark"):
            assert viewer.client.post(f"/api/v1/statuses/{post}/{verb}").status_code == 404
        assert viewer.client.post("/api/v1/statuses", json={"status": "still", "in_reply_to_id": post}).status_code == 404
        assert viewer.client.post(f"/api/v1/accounts/{other.id}/follow").status_code == 403
        viewer.write(f"@{other.name} are you there?")
    quarrel.third.post(f"/api/v1/accounts/{quarrel.blocker.id}/unfollow")
    quarrel.third.follow(quarrel.blocker)
    for viewer, other in ((quarrel.blocker, quarrel.blocked), (quarrel.blocked, quarrel.blocker)):
        told = {entry["account"]["id"] for entry in viewer.get("/api/v1/notifications")}
        assert told == {quarrel.third.id}, other.name
        wait_for(lambda viewer=viewer: _unread(viewer) == len(viewer.get("/api/v1/notifications", limit=80)), "the count")  # type: ignore[misc]


def test_pages_show_nothing_of_the_other_either(stack: Stack, quarrel: Quarrel) -> None:
    for viewer, other in ((quarrel.blocker, quarrel.blocked), (quarrel.blocked, quarrel.blocker)):
        marks = [mark for mark in quarrel.marks[other.name] if not mark.startswith('"')]
        with stack.browser() as browser:
            assert stack.submit(browser, "/login", "/login", identifier=viewer.name, password="correct horse battery").status_code == 303
            for page in PAGES:
                path = quarrel.fill(page, viewer)
                answer = browser.get(path)
                assert answer.status_code == 200, path
                assert [mark for mark in marks if mark in without_own_words(answer.text)] == [], path
            status = browser.get(f"/@{other.name}").status_code
            assert status == (200 if viewer is quarrel.blocker else 404)


def without_own_words(page: str) -> str:
    """A page without the mention that its reader wrote themselves."""
    return "".join(part for part in page.split("<article") if "are you there?" not in part)


def test_muted_people_are_hidden_where_one_meets_people_until_the_mute_ends(stack: Stack) -> None:
    made = live_together(stack)
    me, other = made.blocker, made.blocked
    me.post(f"/api/v1/accounts/{other.id}/mute", duration=3)
    muted_at = time.monotonic()
    seen = {way: found for way in HIDE_WHO_IS_MUTED if (found := made.seen(me, made.fill(way, me)))}
    assert (seen, time.monotonic() - muted_at < 3) == ({}, True)
    assert me.get(f"/api/v1/statuses/{made.values[me.name]['post']}")["account"]["id"] == other.id

    def back() -> Any:
        return all(made.seen(me, made.fill(way, me)) for way in HIDE_WHO_IS_MUTED) or None

    wait_for(back, "everything to be seen again")
    assert me.get("/api/v1/mutes") == []


def _unread(person: Person) -> int:
    return int(person.get("/api/v1/notifications/unread_count")["count"])
