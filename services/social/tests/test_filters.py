"""Filters: set up in every way that clients have, matched on every way that leads to a post."""

import asyncio
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from common.events import MediaState, PollState, PostState
from common.times import now
from social.filters import domain
from social.rendering.matching import Keyword, folded, text_of
from social.rendering.rules import Filter, Rules

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio

V2 = "/api/v2/filters"
V1 = "/api/v1/filters"
FORM = "application/x-www-form-urlencoded"
PICTURE = {"media_id": 1, "url": "/m", "preview_url": "/p", "width": 4, "height": 3, "preview_width": 4, "preview_height": 3}


async def ask(world: "World", method: str, path: str, caller: int, status: int = 200, **sent: Any) -> Any:
    """The JSON of an answer with the expected status."""
    headers = world.headers(caller) | ({"Content-Type": FORM} if "content" in sent else {})
    answer = await world.client.request(method, path, headers=headers, **sent)
    assert answer.status_code == status, answer.text
    return answer.json()


async def set_up(world: "World", caller: int, *keywords: str, whole_word: bool = False, **more: Any) -> Any:
    """A new filter, in all contexts unless told otherwise."""
    words = [{"keyword": keyword, "whole_word": whole_word} for keyword in keywords]
    new = {"title": "Not now", "context": list(domain.CONTEXTS), "keywords_attributes": words, **more}
    return await ask(world, "POST", V2, caller, json=new)


async def matched(world: "World", post: PostState, viewer: int) -> list[tuple[str, list[str], list[str]]]:
    """Titles of the filters that match a post, with the keywords and posts that do."""
    results = (await world.status(post, viewer))["filtered"]
    return [(result["filter"]["title"], result["keyword_matches"], result["status_matches"]) for result in results]


@pytest.mark.parametrize(
    ("keyword", "whole_word", "text", "expected"),
    [
        ("cat", True, "a cat sat", True),
        ("cat", True, "concatenate cats", False),
        ("cat", True, "concatenate a cat", True),
        ("cat", False, "concatenate", True),
        ("Straße", True, "die STRASSE", True),
        ("café", True, "un cafe\u0301!", True),
        ("cafe", True, "un café", False),
        ("हिन्द", True, "हिन्दी", False),
        ("foo_bar", True, "foo_bar.", True),
        ("foo", True, "foo_bar", False),
        ("#tea", True, "some #teas", False),
        ("#tea", True, "a#tea", True),
        ("c++", True, "in c++17", True),
        ("猫", False, "私は猫が好きです", True),
        ("猫", True, "私は猫が好きです", False),
        ("two  words", True, "these two\nwords", True),
        ("ＦＵＬＬ", False, "full width", True),
        ("😀", True, "ha😀ha", True),
    ],
)
def test_words_are_found_as_people_mean_them(keyword: str, whole_word: bool, text: str, expected: bool) -> None:
    assert Keyword.of(keyword, whole_word=whole_word).found_in(folded(text)) is expected


def test_all_that_a_post_says_is_looked_through_and_no_phrase_runs_from_one_part_into_the_next() -> None:
    content = {
        "spoiler_text": "Beware",
        "content": '<p>one <strong>tw</strong>o &amp; <a href="/hidden">three</a></p><p>four<br>five</p>',
        "media_attachments": [{"description": "a picture"}, {"description": None}],
        "poll": {"options": [{"title": "Yes"}, {"title": "No"}]},
    }
    assert text_of(orjson.dumps(content)[1:-1]) == "beware\none two & three four five\na picture\n\nyes\nno"


async def test_a_filter_is_set_up_shown_changed_and_taken_away(world: "World") -> None:
    (ada,) = await world.people("ada")
    new = {
        "title": " Birds ",
        "context": ["home", "public"],
        "filter_action": "hide",
        "expires_in": 3600,
        "keywords_attributes": [{"keyword": "magpie"}, {"keyword": "owl", "whole_word": False}],
    }
    made = await ask(world, "POST", V2, ada, json=new)
    assert (made["title"], made["context"], made["filter_action"], made["statuses"]) == ("Birds", ["home", "public"], "hide", [])
    assert [(word["keyword"], word["whole_word"]) for word in made["keywords"]] == [("magpie", True), ("owl", False)]
    assert made["expires_at"].endswith("Z")
    path = f"{V2}/{made['id']}"
    assert await ask(world, "GET", path, ada) == made
    assert await ask(world, "GET", V2, ada) == [made]
    first, second = (word["id"] for word in made["keywords"])
    change = {
        "title": "Corvids",
        "expires_in": "",
        "keywords_attributes": [{"id": second, "_destroy": True}, {"id": first, "keyword": "crow"}, {"keyword": "jay"}],
    }
    changed = await ask(world, "PUT", path, ada, json=change)
    assert (changed["title"], changed["context"], changed["filter_action"], changed["expires_at"]) == (
        "Corvids",
        ["home", "public"],
        "hide",
        None,
    )
    assert [word["keyword"] for word in changed["keywords"]] == ["crow", "jay"]
    assert changed["keywords"][0]["id"] == first
    assert await ask(world, "DELETE", path, ada) == {}
    assert await ask(world, "GET", V2, ada) == []
    await ask(world, "GET", path, ada, 404)
    assert await world.rows("SELECT 1 FROM viewers") == []


async def test_forms_say_the_same_in_the_ways_that_rails_reads_them(world: "World") -> None:
    (ada,) = await world.people("ada")
    words = "keywords_attributes[][keyword]=tea&keywords_attributes[][whole_word]=false&keywords_attributes[][keyword]=milk"
    content = f"title=Drinks&context[]=home&context[]=thread&filter_action=blur&{words}"
    made = await ask(world, "POST", V2, ada, content=content)
    assert [(word["keyword"], word["whole_word"]) for word in made["keywords"]] == [("tea", False), ("milk", True)]
    assert (made["context"], made["filter_action"]) == (["home", "thread"], "blur")
    tea, milk = (word["id"] for word in made["keywords"])
    words = f"keywords_attributes[][id]={tea}&keywords_attributes[][_destroy]=true&keywords_attributes[][id]={milk}&keywords_attributes[][keyword]=oat"
    changed = await ask(world, "PUT", f"{V2}/{made['id']}", ada, content=words)
    assert changed["keywords"] == [{"id": milk, "keyword": "oat", "whole_word": True}]
    words = "keywords_attributes[0][keyword]=rum&keywords_attributes[1][keyword]=&keywords_attributes[2][_destroy]=1"
    changed = await ask(world, "PUT", f"{V2}/{made['id']}", ada, content=words)
    assert [word["keyword"] for word in changed["keywords"]] == ["oat", "rum"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, "Title can't be blank, Context can't be blank, Context None or invalid context supplied"),
        ({"title": "t", "context": ["nowhere"]}, "Context None or invalid context supplied"),
        ({"title": "t" * 257, "context": ["home"]}, "Title is too long (maximum is 256 characters)"),
        ({"title": "t", "context": ["home"], "filter_action": "burn"}, "Action is not included in the list"),
        ({"title": "t", "context": ["home"], "expires_in": 10**9}, "Expires in must be between 0 and ten years, in seconds"),
        (
            {"title": "t", "context": ["home"], "keywords_attributes": [{"keyword": " ", "whole_word": True}]},
            "Keywords keyword can't be blank",
        ),
        (
            {"title": "t", "context": ["home"], "keywords_attributes": [{"keyword": "x" * 513}]},
            "Keywords keyword is too long (maximum is 512 characters)",
        ),
    ],
)
async def test_what_is_wrong_with_a_filter_is_told_and_nothing_is_kept(world: "World", wrong: dict[str, Any], told: str) -> None:
    (ada,) = await world.people("ada")
    assert (await ask(world, "POST", V2, ada, 422, json=wrong))["error"] == f"Validation failed: {told}"
    assert await world.rows("SELECT 1 FROM filters UNION ALL SELECT 1 FROM filter_keywords UNION ALL SELECT 1 FROM viewers") == []


async def test_keywords_and_posts_have_ways_of_their_own(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(bob)
    boost = int((await world.did(f"statuses/{post.post_id}/reblog", bob))["id"])
    path = f"{V2}/{(await set_up(world, ada))['id']}"
    word = await ask(world, "POST", f"{path}/keywords", ada, data={"keyword": "rain", "whole_word": "0"})
    assert (word["keyword"], word["whole_word"]) == ("rain", False)
    assert await ask(world, "GET", f"{V2}/keywords/{word['id']}", ada) == word
    changed = await ask(world, "PUT", f"{V2}/keywords/{word['id']}", ada, json={"keyword": "snow"})
    assert changed == {"id": word["id"], "keyword": "snow", "whole_word": False}
    assert await ask(world, "GET", f"{path}/keywords", ada) == [changed]
    assert (await ask(world, "POST", f"{path}/keywords", ada, 422, json={}))["error"] == "Validation failed: Keyword can't be blank"
    named = await ask(world, "POST", f"{path}/statuses", ada, data={"status_id": str(boost)})
    assert named["status_id"] == str(post.post_id)
    assert await ask(world, "GET", f"{V2}/statuses/{named['id']}", ada) == named
    assert await ask(world, "GET", f"{path}/statuses", ada) == [named]
    again = await ask(world, "POST", f"{path}/statuses", ada, 422, json={"status_id": post.post_id})
    assert again["error"] == "Validation failed: Status has already been taken"
    assert await matched(world, post, ada) == [("Not now", [], [str(post.post_id)])]
    assert await ask(world, "DELETE", f"{V2}/keywords/{word['id']}", ada) == {}
    assert await ask(world, "DELETE", f"{V2}/statuses/{named['id']}", ada) == {}
    assert await matched(world, post, ada) == []


async def test_nobody_sees_or_changes_the_filters_of_others_nor_names_posts_that_they_may_not_see(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    secret = await world.post(ada, visibility="private")
    post = await world.post(ada)
    made = await set_up(world, ada, "tea")
    word = made["keywords"][0]["id"]
    named = await ask(world, "POST", f"{V2}/{made['id']}/statuses", ada, json={"status_id": str(post.post_id)})
    own = await set_up(world, bob, "milk")
    for method, path, sent in (
        ("GET", f"/{made['id']}", None),
        ("PUT", f"/{made['id']}", {"title": "mine"}),
        ("DELETE", f"/{made['id']}", None),
        ("GET", f"/{made['id']}/keywords", None),
        ("POST", f"/{made['id']}/keywords", {"keyword": "mine"}),
        ("GET", f"/keywords/{word}", None),
        ("PUT", f"/keywords/{word}", {"keyword": "mine"}),
        ("DELETE", f"/keywords/{word}", None),
        ("GET", f"/{made['id']}/statuses", None),
        ("POST", f"/{made['id']}/statuses", {"status_id": str(post.post_id)}),
        ("GET", f"/statuses/{named['id']}", None),
        ("DELETE", f"/statuses/{named['id']}", None),
        ("PUT", f"/{own['id']}", {"keywords_attributes": [{"id": word, "keyword": "mine"}]}),
        ("PUT", f"/{own['id']}", {"keywords_attributes": [{"id": word, "_destroy": True}]}),
    ):
        await ask(world, method, V2 + path, bob, 404, json=sent)
    for method, path in (("GET", word), ("PUT", word), ("DELETE", word)):
        await ask(world, method, f"{V1}/{path}", bob, 404, json={"phrase": "mine"})
    await ask(
        world, "POST", V2, bob, 404, json={"title": "t", "context": ["home"], "keywords_attributes": [{"id": word, "keyword": "mine"}]}
    )
    unseen = await ask(world, "POST", f"{V2}/{own['id']}/statuses", bob, 422, json={"status_id": str(secret.post_id)})
    assert unseen["error"] == "Validation failed: Status is invalid"
    assert (await ask(world, "GET", V2, ada))[0]["keywords"] == made["keywords"]
    assert (await world.client.get(V2)).status_code == 401
    reading = world.headers(ada, scopes=frozenset({"read:filters"}))
    assert (await world.client.get(V2, headers=reading)).status_code == 200
    assert (await world.client.post(V2, headers=reading, json={})).status_code == 403
    assert (await world.client.get(V2, headers=world.headers(ada, scopes=frozenset({"read:lists"})))).status_code == 403


async def test_nobody_has_more_than_the_limits_even_when_they_ask_at_the_same_time(world: "World") -> None:
    (ada,) = await world.people("ada")
    await world.run(
        "INSERT INTO filters (account_id, title, contexts, action) SELECT :ada, 't', ARRAY['home'], 'warn' FROM generate_series(4, :most)",
        ada=ada,
        most=domain.MOST_FILTERS,
    )
    new = {"title": "t", "context": ["home"]}
    answers = await asyncio.gather(*(world.client.post(V2, headers=world.headers(ada), json=new) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [422] * 3
    refused = next(answer for answer in answers if answer.status_code == 422)
    assert refused.json()["error"] == "Validation failed: You can have no more than 100 filters"
    path = f"{V2}/{(await ask(world, 'GET', V2, ada))[0]['id']}/keywords"
    await world.run(
        """INSERT INTO filter_keywords (filter_id, keyword, whole_word)
           SELECT id, 'x', true FROM filters, generate_series(2, :most) WHERE id = (SELECT min(id) FROM filters)""",
        most=domain.MOST_KEYWORDS,
    )
    await ask(world, "POST", path, ada, json={"keyword": "y"})
    told = (await ask(world, "POST", path, ada, 422, json={"keyword": "z"}))["error"]
    assert told == "Validation failed: You can have no more than 1000 keywords in all your filters"


async def test_every_way_that_leads_to_a_post_tells_which_filters_match_it(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.follow(ada, bob)
    root = await world.post(bob, html="<p>tea <b>party</b></p>")
    answer = await world.answer(bob, root, html="<p>more</p>", spoiler="Tea, too")
    asked = await world.post(bob, html="", poll=PollState(options=["Tea", "Coffee"], expires_at=now() + timedelta(hours=1)))
    picture = await world.post(bob, html="", media=[MediaState(**PICTURE, description="a cup of TEA")])
    boost = int((await world.did(f"statuses/{root.post_id}/reblog", bob))["id"])
    made = await set_up(world, ada, "tea party", "tea", filter_action="hide")
    result = {
        "filter": {name: made[name] for name in ("id", "title", "context", "expires_at", "filter_action")},
        "keyword_matches": ["tea party", "tea"],
        "status_matches": [],
    }
    assert (await world.status(root, ada))["filtered"] == [result]
    for post in (answer, asked, picture):
        assert await matched(world, post, ada) == [("Not now", ["tea"], [])]
    wrapper = await world.show(f"/api/v1/statuses/{boost}", ada)
    assert wrapper["filtered"] == wrapper["reblog"]["filtered"] == [result]
    lists = [
        await world.show("/api/v1/timelines/home", ada),
        await world.show("/api/v1/timelines/public", ada),
        await world.show(f"/api/v1/accounts/{bob}/statuses", ada),
        (await world.show(f"/api/v1/statuses/{root.post_id}/context", ada))["descendants"],
    ]
    assert all(status["filtered"] for statuses in lists for status in statuses)
    assert [len(statuses) for statuses in lists] == [4, 4, 5, 1]
    hydrated = await world.client.post("/internal/render", headers=world.headers(ada), json={"statuses": [root.post_id]})
    assert hydrated.json()["statuses"][str(root.post_id)]["status"]["filtered"] == [result]
    assert (await world.status(root, bob))["filtered"] == []
    assert "filtered" not in await world.status(root)


async def test_an_edit_and_a_changed_filter_count_at_once(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(bob, html="<p>coffee</p>")
    made = await set_up(world, ada, "tea")
    assert await matched(world, post, ada) == []
    await world.apply(post.model_copy(update={"version": 2, "html": "<p>tea</p>"}))
    assert await matched(world, post, ada) == [("Not now", ["tea"], [])]
    await ask(world, "PUT", f"{V2}/keywords/{made['keywords'][0]['id']}", ada, json={"keyword": "milk"})
    assert await matched(world, post, ada) == []
    await ask(world, "POST", f"{V2}/{made['id']}/keywords", ada, json={"keyword": "TEA"})
    assert await matched(world, post, ada) == [("Not now", ["TEA"], [])]
    await ask(world, "DELETE", f"{V2}/{made['id']}", ada)
    assert await matched(world, post, ada) == []


async def test_ones_own_posts_are_never_filtered_but_what_one_boosts_is(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await set_up(world, ada, "hello")
    own, others = await world.post(ada), await world.post(bob)
    boosted = await world.did(f"statuses/{others.post_id}/reblog", ada)
    assert await matched(world, own, ada) == []
    assert boosted["reblog"]["filtered"][0]["keyword_matches"] == ["hello"]


async def test_a_filter_ends_by_itself_and_begins_again_when_it_is_given_more_time(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(bob)
    made = await set_up(world, ada, "hello", expires_in=1)
    assert await matched(world, post, ada) == [("Not now", ["hello"], [])]
    await asyncio.sleep(1.1)
    assert await matched(world, post, ada) == []
    assert (await ask(world, "GET", V2, ada))[0]["id"] == made["id"]
    await ask(world, "PUT", f"{V2}/{made['id']}", ada, data={"expires_in": "600"})
    assert await matched(world, post, ada) == [("Not now", ["hello"], [])]


def tea(ends_at: datetime | None = None) -> Filter:
    return Filter(ends_at, (Keyword.of("tea", whole_word=True),), frozenset(), {"id": "1"})


def test_a_post_is_looked_through_once_for_each_of_its_versions_and_anew_when_a_filter_ended() -> None:
    rules = Rules([tea(), tea(now() + timedelta(seconds=0.2))], frozenset())
    asked = []

    def results(version: bytes, said: str) -> int:
        def text() -> str:
            asked.append(said)
            return said

        rules.look_at_the_clock()
        return len(orjson.loads(rules.filtered((1, version), text)))

    assert [results(b"a", "tea"), results(b"a", "tea"), results(b"b", "milk")] == [2, 2, 0]
    assert asked == ["tea", "milk"]
    time.sleep(0.25)
    assert [results(b"a", "tea"), results(b"a", "tea")] == [1, 1]
    assert asked == ["tea", "milk", "tea"]


def test_outcomes_are_not_kept_for_ever() -> None:
    rules = Rules([tea()], frozenset())
    for number in range(3_000):
        rules.filtered((number, b"c"), lambda: "")
    assert len(rules._known) <= 1_000


async def test_a_notice_of_what_is_hidden_among_notifications_is_not_given(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.did(f"accounts/{bob}/follow", ada, notify=True)
    root = await world.post(ada, html="<p>tea?</p>")
    made = await set_up(world, ada, "tea", context=["notifications"], filter_action="hide")

    async def told() -> list[str]:
        return [kind for kind, _, _ in await world.notices(ada)]

    await world.post(bob, html="<p>tea</p>")
    await world.post(bob, html="<p>tea</p>", usernames=["ada"])
    await world.answer(bob, root, html="<p>no</p>", spoiler="tea")
    await world.post(bob, usernames=["ada"], poll=PollState(options=["tea", "none"], expires_at=now() + timedelta(hours=1)))
    assert await told() == []
    for action in ("favourite", "reblog"):  # of one's own post
        await world.did(f"statuses/{root.post_id}/{action}", bob)
    await world.post(bob, html="<p>milk</p>", usernames=["ada"])
    assert await told() == ["favourite", "reblog", "mention"]
    named = await world.said(bob, html="<p>named</p>", usernames=[])
    await world.apply(named)
    await ask(world, "POST", f"{V2}/{made['id']}/statuses", ada, json={"status_id": str(named.post_id)})
    before = await told()
    await world.apply(named.model_copy(update={"version": 2, "usernames": ["ada"]}))
    assert await told() == before
    for weaker in (
        {"filter_action": "warn"},
        {"filter_action": "hide", "context": ["home"]},
        {"context": ["notifications"], "expires_in": 0},
    ):
        await ask(world, "PUT", f"{V2}/{made['id']}", ada, json=weaker)
        before = await told()
        await world.post(bob, html="<p>tea</p>", usernames=["ada"])
        assert await told() == [*before, "mention"]


async def test_the_first_version_of_the_api_shows_each_keyword_as_a_filter(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(bob, html="<p>tea</p>")
    content = "phrase=tea&context[]=home&context[]=notifications&irreversible=true&whole_word=0&expires_in=600"
    made = await ask(world, "POST", V1, ada, content=content)
    assert {name: made[name] for name in ("phrase", "context", "irreversible", "whole_word")} == {
        "phrase": "tea",
        "context": ["home", "notifications"],
        "irreversible": True,
        "whole_word": False,
    }
    assert await ask(world, "GET", V1, ada) == [made]
    assert await ask(world, "GET", f"{V1}/{made['id']}", ada) == made
    assert await matched(world, post, ada) == [("tea", ["tea"], [])]
    changed = await ask(world, "PUT", f"{V1}/{made['id']}", ada, data={"phrase": "milk", "irreversible": "false", "expires_in": ""})
    assert changed == made | {"phrase": "milk", "irreversible": False, "expires_at": None}
    (whole,) = await ask(world, "GET", V2, ada)
    assert (whole["title"], [word["id"] for word in whole["keywords"]]) == ("milk", [made["id"]])
    assert await ask(world, "DELETE", f"{V1}/{made['id']}", ada) == {}
    assert await ask(world, "GET", V2, ada) == []
    blank = await ask(world, "POST", V1, ada, 422, json={"context": ["home"]})
    assert blank["error"] == "Validation failed: Phrase can't be blank"


async def test_the_first_version_changes_nothing_that_several_keywords_share(world: "World") -> None:
    (ada,) = await world.people("ada")
    made = await set_up(world, ada, "tea", "milk", context=["home"])
    path = f"{V1}/{made['keywords'][0]['id']}"
    changed = await ask(world, "PUT", path, ada, json={"phrase": "cocoa", "context": ["home"], "irreversible": False, "expires_in": None})
    assert changed["phrase"] == "cocoa"
    for shared in ({"context": ["public"]}, {"irreversible": True}, {"expires_in": 60}):
        refused = await ask(world, "PUT", path, ada, 422, json={"phrase": "rum", **shared})
        assert refused["error"].startswith("These parameters cannot be changed from this application")
    (whole,) = await ask(world, "GET", V2, ada)
    assert (whole["title"], [word["keyword"] for word in whole["keywords"]]) == ("Not now", ["cocoa", "milk"])
    await ask(world, "DELETE", path, ada)
    assert [word["keyword"] for word in (await ask(world, "GET", V2, ada))[0]["keywords"]] == ["milk"]


async def test_what_was_deleted_leaves_the_filters_that_named_it_and_who_was_deleted_leaves_none(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(bob)
    made = await set_up(world, ada, "tea")
    await ask(world, "POST", f"{V2}/{made['id']}/statuses", ada, json={"status_id": str(post.post_id)})
    await world.did(f"statuses/{post.post_id}/mute", ada)
    await world.apply(world.gone(post))
    assert (await ask(world, "GET", V2, ada))[0]["statuses"] == []
    await world.account(ada, 2, deleted=True)
    left = "SELECT 1 FROM filters UNION ALL SELECT 1 FROM filter_keywords UNION ALL SELECT 1 FROM viewers UNION ALL SELECT 1 FROM muted_threads"
    assert await world.rows(left) == []
