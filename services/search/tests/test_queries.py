"""What is found, in which order, and how it is marked."""

import html
import re
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from common.events import PollState
from common.testing.plugin import free_port
from search.index import client

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shelf(world: "World") -> "World":
    """A handful of posts."""
    await world.hear(
        world.post(1, "The quick brown fox jumps", tags=["animals"], author_username="bob", author_id=2, language="en"),
        world.post(2, "A brown dog and a quick cat", reply_to_id=1, days=10),
        world.post(3, "Un café à Zürich", language="fr"),
        world.post(4, "holiday", captions=["a lighthouse"], spoiler="weather"),
    )
    return world


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("quick", {1, 2}),
        ("QUICK brown", {1, 2}),
        ("quick zebra", set()),
        ('"quick brown"', {1}),
        ('"brown quick"', set()),
        ('"quick brown" jumps', {1}),
        ('"quick brown" "a dog"', set()),
        ("cafe zurich", {3}),
        ("lighthouse", {4}),
        ("weather", {4}),
        ("quikc", {1, 2}),
        ("jumsp", {1}),
        ("ligthouse", {4}),
        ("fxo", {1}),
        ("fx", set()),
        ("nuick", set()),
        ("animals", {1}),
        ("#animals", {1}),
        ("zebra animals", set()),
        ("#animals #cats", set()),
        ("from:bob", {1}),
        ("from:@BOB@microblog.example quick", {1}),
        ("from:ada quick", {2}),
        ("from:nobody quick", set()),
        ("is:reply", {2}),
        ("has:media", {4}),
        ("language:fr", {3}),
        ("language:fr quick", set()),
        ("!!! ???", set()),
        ("*", set()),
        ("\x00", set()),
        ("quick OR zebra", set()),
        ("deleted:false", set()),
    ],
)
async def test_posts_are_found_by_what_they_say(shelf: "World", q: str, found: set[int]) -> None:
    told = await shelf.search("posts", q)
    assert ({int(hit["post_id"]) for hit in told["hits"]}, told["total"]) == (found, len(found))


async def test_posts_are_found_by_what_they_have(world: "World") -> None:
    poll = PollState(options=["tea", "coffee"], expires_at=datetime.now(UTC))
    await world.hear(
        world.post(1, "which?", poll=poll), world.post(2, "see https://microblog.example"), world.post(3, "https", captions=["a cup"])
    )
    assert [await world.posts(f"has:{what}") for what in ("poll", "link", "media")] == [[1], [2], [3]]


async def test_days_bound_from_their_beginning_and_to_before_it(world: "World") -> None:
    for number, said in enumerate(("2026-01-30T23:59:59Z", "2026-01-31T00:00:00Z", "2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z"), 1):
        await world.hear(world.post(number, created_at=said))
    assert sorted(await world.posts("after:2026-01-31")) == [2, 3, 4]
    assert sorted(await world.posts("before:2026-02-01")) == [1, 2, 3]
    assert sorted(await world.posts("hello after:2026-01-31 before:2026-02-01")) == [2, 3]


@pytest.mark.parametrize("q", ["", "   ", '""'])
async def test_nothing_typed_finds_nothing(shelf: "World", q: str) -> None:
    assert await shelf.posts(q) == []


async def test_one_accounts_posts_can_be_searched_alone(shelf: "World") -> None:
    assert await shelf.posts("quick", account_id="2") == [1]
    assert await shelf.posts("quick", account_id="9") == []


async def test_posts_before_and_after_one_can_be_searched_alone(shelf: "World") -> None:
    assert await shelf.posts("quick", max_id=2) == [1]
    assert await shelf.posts("quick", min_id=1) == [2]
    assert await shelf.posts("quick", min_id=1, max_id=2) == []


# Order


@pytest.mark.parametrize(
    ("better", "worse", "q"),
    [
        ({"words": "tea and biscuits"}, {"words": "tae and biscuits"}, "tea"),
        ({"words": "green tea is good"}, {"words": "green leaves are good for tea"}, "green tea"),
        ({"words": "tea"}, {"words": "today we walked for hours until somebody made tea for all of us at the lake"}, "tea"),
        ({"words": "tea and biscuits"}, {"words": "tea and biscuits", "days": 300}, "tea"),
        ({"words": "tea and biscuits", "days": 300}, {"words": "tae and biscuits"}, "tea"),
    ],
    ids=["without a typo", "together", "nothing else", "fresh", "without a typo however old"],
)
async def test_the_better_post_comes_first(world: "World", better: dict[str, Any], worse: dict[str, Any], q: str) -> None:
    await world.hear(world.post(1, **better), world.post(2, **worse), *(world.post(number, "something else") for number in range(3, 6)))
    assert (await world.posts(q))[:1] == [1]


async def test_operators_alone_give_the_newest_first(world: "World") -> None:
    await world.hear(*(world.post(number, "word " * number) for number in (2, 10, 1, 9)))
    assert await world.posts("from:ada") == [10, 9, 2, 1]


async def test_pages_follow_each_other_without_gaps(world: "World") -> None:
    await world.hear(*(world.post(number, "tea", created_at="2026-01-01T00:00:00Z") for number in range(1, 24)))
    pages = [await world.posts("tea", limit=10, offset=offset) for offset in (0, 10, 20, 30)]
    assert [*chain(*pages)] == list(range(23, 0, -1))
    assert [len(page) for page in pages] == [10, 10, 3, 0]
    assert (await world.search("posts", "tea", limit=1))["total"] == 23


@pytest.mark.parametrize("bounds", [{"limit": 0}, {"limit": 201}, {"offset": -1}, {"offset": 1001}, {"limit": "x"}], ids=str)
@pytest.mark.parametrize("what", ["posts", "accounts", "hashtags"])
async def test_a_page_out_of_bounds_is_refused(world: "World", what: str, bounds: dict[str, Any]) -> None:
    answer = await world.client.get(f"/internal/{what}", params={"q": "tea", **bounds})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


@pytest.mark.parametrize(
    ("said", "language", "q"),
    [
        ("Two gardens by the river", "en", "gardening"),
        ("Two gardens by the river", "en", "garden rivers"),
        ("Zwei Häuser am Fluss", "de", "haus"),
        ("Zwei Häuser am Fluss", "de", "Flusses"),
        ("Cantamos canciones", "es", "cancion"),
        ("我喜欢东京的夏天", "zh", "东京"),
        ("我喜欢东京的夏天", "zh", "夏天 东京"),
        ("今日は図書館で本を読んだ", "ja", "図書館"),
        ("カタカナの言葉", "ja", "ｶﾀｶﾅ"),
        ("猫がいる", "ja", "猫"),
        ("서울에서 만나요", "ko", "서울"),
        ("How do I bake bread", "en", "the bread"),
        ("the who", "en", "the who"),
        ("iPhone15を買う", "ja", "iphone15"),
        ("Deploying Kubernetes", "en", "kubernets"),
        ("Deploying Kubernetes", "en", "deploy kubernets"),
    ],
)
async def test_words_are_found_in_other_forms_and_scripts(world: "World", said: str, language: str, q: str) -> None:
    await world.hear(world.post(1, said, language=language), world.post(2, "something else", language=language))
    assert await world.posts(q) == [1]


@pytest.mark.parametrize(
    ("said", "language", "q"),
    [
        ("京都の東", "ja", "東京"),
        ("Jardins au bord", "fr", "jardinier"),
        ("Two gardens", "en", '"garden"'),
        ("quick and brown", "en", '"quick brown"'),
        ("in 2025", "en", "2026"),
        ("gardens here", "en", "gardens zebra"),
    ],
)
async def test_what_was_not_meant_is_not_found(world: "World", said: str, language: str, q: str) -> None:
    await world.hear(world.post(1, said, language=language))
    assert await world.posts(q) == []


async def test_the_word_comes_before_its_forms_and_those_before_what_is_spelled_alike(world: "World") -> None:
    said = {1: "gardon", 2: "gardening", 3: "garden"}
    await world.hear(*(world.post(number, words, language="en") for number, words in said.items()))
    assert await world.posts("garden") == [3, 2, 1]


# Marks


@pytest.mark.parametrize(
    ("words", "marked"),
    [
        ("tea <script>alert(1)</script> & <b>", "<em>tea</em> &lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;"),
        ("<img src=x onerror=\"alert('tea')\">", "&lt;img src=x onerror=&quot;alert(&#x27;<em>tea</em>&#x27;)&quot;&gt;"),
        ("<em>tea</em>", "&lt;em&gt;<em>tea</em>&lt;/em&gt;"),
        ("Tea, TEA and téa\nnext line", "<em>Tea</em>, <em>TEA</em> and <em>téa</em>\nnext line"),
    ],
)
async def test_a_highlight_is_the_whole_text_with_nothing_but_our_marks(world: "World", words: str, marked: str) -> None:
    await world.hear(world.post(1, words))
    assert [hit["highlight"] for hit in (await world.search("posts", "tea"))["hits"]] == [marked]


async def test_a_long_text_is_marked_to_its_end(world: "World") -> None:
    words = "milk " * 4000 + "tea"
    await world.hear(world.post(1, words))
    (hit,) = (await world.search("posts", "tea"))["hits"]
    assert html.unescape(re.sub("</?em>", "", hit["highlight"])) == words
    assert hit["highlight"].endswith("<em>tea</em>")


@pytest.mark.parametrize("words", ["\ue000 tea", "tea \ue001", "\ue001tea\ue000"])
async def test_no_text_can_put_marks_of_its_own(world: "World", words: str) -> None:
    await world.hear(world.post(1, words))
    (hit,) = (await world.search("posts", "tea"))["hits"]
    assert re.sub("<em>tea</em>", "", hit["highlight"]).count("em>") == 0


# People and hashtags


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("grace", [1]),
        ("@grace", [1]),
        ("@grace@microblog.example", [1]),
        ("GRA", [1]),
        ("hopper", [1]),
        ("hoper", [1]),
        ("grcae", [1]),
        ("compilers", [1]),
        ("alan", [2]),
        ("nobody", []),
        ("@", []),
        ("  ", []),
        ("@@", []),
    ],
)
async def test_people_are_found_by_name_and_bio(world: "World", q: str, found: list[int]) -> None:
    await world.hear(
        world.profile(1, "grace", display_name="Grace Hopper", plain_note="I write compilers"),
        world.profile(2, "alan", plain_note="machines"),
    )
    assert await world.accounts(q) == found


async def test_whose_name_it_is_comes_before_who_is_called_alike_or_writes_of_them(world: "World") -> None:
    await world.hear(
        world.profile(4, "someone", plain_note="a friend of grace"),
        world.profile(3, "graze"),
        world.profile(2, "gracefully"),
        world.profile(1, "grace"),
    )
    assert await world.accounts("grace") == [1, 2, 3, 4]


async def test_among_equals_the_better_known_come_first(world: "World") -> None:
    known = {1: 5, 2: 5000, 3: 0, 4: 70}
    await world.hear(*(world.profile(who, f"user{who}", display_name="Grace", followers_count=many) for who, many in known.items()))
    assert await world.accounts("grace") == [2, 4, 1, 3]


async def test_pages_of_people_and_hashtags_follow_each_other(world: "World") -> None:
    await world.hear(*(world.profile(number, f"grace{number}") for number in range(1, 8)))
    await world.hear(world.post(1, tags=[f"cats{number}" for number in range(7)]))
    people = [await world.accounts("grace", limit=3, offset=offset) for offset in (0, 3, 6, 9)]
    tags = [await world.hashtags("cats", limit=3, offset=offset) for offset in (0, 3, 6, 9)]
    assert [len(page) for page in people] == [len(page) for page in tags] == [3, 3, 1, 0]
    assert ({*chain(*people)}, {*chain(*tags)}) == (set(range(1, 8)), {f"cats{number}" for number in range(7)})


async def test_hashtags_are_found_by_their_beginning_with_typos_forgiven(world: "World") -> None:
    await world.hear(world.post(1, tags=["catsofmicroblog", "cats", "dogs"]), world.post(2, tags=["cats"]))
    assert await world.hashtags("#Cats") == ["cats", "catsofmicroblog"]
    assert await world.hashtags("cat") == ["cats", "catsofmicroblog"]
    assert await world.hashtags("dosg") == ["dogs"]
    assert await world.hashtags("#") == []


# Who asks, and when nobody can


async def test_a_forged_identity_is_refused(world: "World") -> None:
    for headers in ({"x-microblog-identity": "x"}, world.identities.headers("posts")):
        assert (await world.client.get("/internal/posts", params={"q": "tea"}, headers=headers)).status_code == 401


@pytest.mark.parametrize("what", ["posts", "accounts", "hashtags"])
async def test_without_elasticsearch_it_says_so(world: "World", what: str) -> None:
    index = world.client._transport.app.state.index  # type: ignore[attr-defined]
    here, index.elastic = index.elastic, client(f"http://127.0.0.1:{free_port()}", None)
    try:
        answer = await world.client.get(f"/internal/{what}", params={"q": "tea"})
        nothing = await world.client.get(f"/internal/{what}", params={"q": " "})
    finally:
        await index.elastic.close()
        index.elastic = here
    assert (answer.status_code, answer.json()) == (503, {"error": "Search is temporarily unavailable", "code": "unavailable"})
    assert answer.headers["retry-after"] == "1"
    assert nothing.status_code == 200
    assert await world.posts("tea") == []


@pytest.mark.parametrize("what", ["posts", "accounts", "hashtags"])
async def test_before_the_first_index_is_made_it_says_so(world: "World", what: str) -> None:
    await world.index.elastic.indices.delete(index=await world.index_of(what))
    answer = await world.client.get(f"/internal/{what}", params={"q": "tea"})
    assert (answer.status_code, answer.json()["error"]) == (503, "Search is temporarily unavailable")
