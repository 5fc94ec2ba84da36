"""Narrowing results down, and how many posts each choice would leave."""

from typing import TYPE_CHECKING, Any

import pytest
from common.events import PollState
from common.times import now

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shelf(world: "World") -> "World":
    """Posts about tea, and one that isn't."""
    await world.hear(
        world.post(1, "tea", language="en", days=400),
        world.post(2, "tea", language="en", days=100, captions=["a cup"]),
        world.post(3, "tea https://microblog.example", language="de", days=3, captions=["a pot"]),
        world.post(4, "tea", language="de", poll=PollState(options=["yes", "no"], expires_at=now())),
        world.post(5, "coffee", language="fr"),
    )
    return world


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, {1, 2, 3, 4}),
        ({"within": "day"}, {4}),
        ({"within": "week"}, {3, 4}),
        ({"within": "month"}, {3, 4}),
        ({"within": "year"}, {2, 3, 4}),
        ({"language": "en"}, {1, 2}),
        ({"language": "xx"}, set()),
        ({"has": "media"}, {2, 3}),
        ({"has": ["media", "link"]}, {3}),
        ({"has": ["media", "poll"]}, set()),
        ({"language": "de", "within": "day", "has": "poll"}, {4}),
    ],
)
async def test_posts_are_narrowed_down(shelf: "World", chosen: dict[str, Any], found: set[int]) -> None:
    told = await shelf.search("posts", "tea", **chosen)
    assert ({int(hit["post_id"]) for hit in told["hits"]}, told["total"]) == (found, len(found))
    assert "facets" not in told


@pytest.mark.parametrize(
    ("chosen", "counts"),
    [
        (
            {},
            {
                "within": {"day": 1, "week": 2, "month": 2, "year": 3},
                "language": {"en": 2, "de": 2},
                "has": {"media": 2, "poll": 1, "link": 1},
            },
        ),
        ({"language": "en"}, {"within": {"year": 1}, "language": {"en": 2, "de": 2}, "has": {"media": 1}}),
        ({"within": "day"}, {"within": {"day": 1, "week": 2, "month": 2, "year": 3}, "language": {"de": 1}, "has": {"poll": 1}}),
        ({"has": "media"}, {"within": {"week": 1, "month": 1, "year": 2}, "language": {"en": 1, "de": 1}, "has": {"media": 2, "link": 1}}),
        ({"language": "xx", "has": "media"}, {"within": {}, "language": {"en": 1, "de": 1, "xx": 0}, "has": {"media": 0}}),
    ],
)
async def test_each_choice_tells_what_it_would_leave(shelf: "World", chosen: dict[str, Any], counts: dict[str, dict[str, int]]) -> None:
    assert (await shelf.search("posts", "tea", facets=True, **chosen))["facets"] == counts


async def test_the_newest_come_first_where_that_is_wanted(world: "World") -> None:
    await world.hear(
        world.post(1, "tea tea", days=1), world.post(2, "a long and winding text with tea in it", days=2), world.post(3, "tae")
    )
    assert await world.posts("tea") == [1, 2, 3]
    assert await world.posts("tea", order="newest") == [3, 2, 1]


async def test_typos_can_be_left_out_and_are_told_of(world: "World") -> None:
    await world.hear(world.post(1, "a dairy", language="en"), world.post(2, "a diary", language="en"))
    told = await world.search("posts", "dairy")
    assert ([hit["post_id"] for hit in told["hits"]], told["alike"]) == (["1", "2"], ["diary"])
    exact = await world.search("posts", "dairy", exactly=True)
    assert ([hit["post_id"] for hit in exact["hits"]], exact["alike"]) == (["1"], [])


@pytest.mark.parametrize("wrong", [{"within": "decade"}, {"has": "money"}, {"order": "oldest"}, {"language": "x" * 21}], ids=str)
async def test_a_choice_that_there_is_not_is_refused(world: "World", wrong: dict[str, str]) -> None:
    answer = await world.client.get("/internal/posts", params={"q": "tea", **wrong})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
