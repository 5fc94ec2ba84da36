"""Events in any order, some of them several times, end in what each of them once and in order ends in.

Run with `--hypothesis-profile=chaos` for a thousand orders; a few dozen are tried every time.
"""

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from common.events import PollState, PostState, TagState
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from .conftest import World

from .conftest import NOW

pytestmark = pytest.mark.anyio

_PEOPLE = 4
_ROOM = 1_000
"""Ids of one telling: people from the base on, posts a hundred behind it. Every telling has ids of its own in the same database."""

_bases = itertools.count(_ROOM, _ROOM)
_ada, _bob, _cyd, _dan = range(_PEOPLE)


def story(base: int) -> list[PostState]:
    """What four people say, answer, edit and delete, in order: every version of every post."""

    def said(number: int, version: int, author: int, **more: Any) -> PostState:
        words = "" if more.get("deleted") else f"<p>post {number}, version {version}</p>"
        for name in ("reply_to_id", "reply_to_account_id", "conversation_id"):
            if name in more:
                more[name] += base
        more["usernames"] = [f"person{base + person}" for person in more.get("names", ())]
        more["tags"] = [TagState(name=tag, display=tag) for tag in more.get("labels", ())]
        fields = {"post_id": base + 100 + number, "version": version, "author_id": base + author, "created_at": NOW, "html": words}
        return PostState(**{**fields, **{name: value for name, value in more.items() if name not in ("names", "labels")}})

    answer_to_first = {"reply_to_id": 101, "reply_to_account_id": _ada, "conversation_id": 101}
    aside = {"visibility": "direct", "reply_to_account_id": _dan, "conversation_id": 106}
    return [
        said(1, 1, _ada, labels=["tea"], names=[_bob]),
        said(2, 1, _bob, **answer_to_first),
        said(3, 1, _cyd, **answer_to_first, names=[_ada, _bob]),
        said(1, 2, _ada, labels=["tea", "cake"], names=[_cyd]),
        said(4, 1, _bob, reply_to_id=102, reply_to_account_id=_bob, conversation_id=101),
        said(2, 2, _bob, **answer_to_first, deleted=True),
        said(5, 1, _dan, visibility="private"),
        said(6, 1, _dan, visibility="direct", names=[_ada], conversation_id=106),
        said(7, 1, _ada, labels=["cake"]),
        said(7, 2, _ada, labels=["cake"]),
        said(7, 3, _ada, deleted=True),
        said(3, 2, _cyd, **answer_to_first, names=[_ada]),
        said(3, 3, _cyd, **answer_to_first, names=[_ada], labels=["late"]),
        said(8, 1, _dan, poll=PollState(options=["tea", "cake"], expires_at=NOW)),
        said(8, 2, _dan, poll=PollState(options=["tea", "cake"], expires_at=NOW, hide_totals=True)),
        said(8, 3, _dan, poll=PollState(options=["tea", "pie"], expires_at=NOW, revision=3)),
        said(9, 1, _dan, poll=PollState(options=["yes", "no"], expires_at=NOW)),
        said(9, 2, _dan),
        said(10, 1, _cyd, poll=PollState(options=["yes", "no"], expires_at=NOW)),
        said(10, 2, _cyd, deleted=True),
        said(11, 1, _ada, **aside, reply_to_id=106, names=[_dan, _cyd]),
        said(12, 1, _cyd, **aside, reply_to_id=111, names=[_dan]),
        said(11, 2, _ada, **aside, reply_to_id=106, names=[_dan]),
        said(13, 1, _dan, **aside, reply_to_id=112, names=[_bob]),
        said(13, 2, _dan, **aside, reply_to_id=112, deleted=True),
        said(14, 1, _bob, labels=["tea"]),
        said(14, 2, _bob, labels=["coffee"]),
    ]


async def people(world: "World", base: int) -> None:
    """Four people who follow each other, and one who follows hashtags only; nothing but their posts will be told."""
    for person in range(_PEOPLE + 1):
        world.names[base + person] = f"person{base + person}"
        await world.account(base + person)
    await world.run(
        """
        INSERT INTO follows (follower_id, followed_id)
        SELECT a, b FROM generate_series(CAST(:base AS bigint), :last) a, generate_series(CAST(:base AS bigint), :last) b WHERE a <> b
        """,
        base=base,
        last=base + _PEOPLE - 1,
    )
    await world.run("INSERT INTO followed_tags (name, account_id) VALUES ('tea', :reader), ('cake', :reader)", reader=base + _PEOPLE)


async def told(world: "World", base: int) -> list[list[tuple[Any, ...]]]:
    """All that these events led to, ids counted from the base."""
    window = {"base": base, "end": base + _ROOM}
    statements = [
        """SELECT post_id - :base, version, deleted, author_id - :base, visibility, reply_to_id - :base, conversation_id - :base, threaded,
                  substring(convert_from(content, 'UTF8') FROM 'post [0-9]+, version [0-9]+')
           FROM snapshots WHERE post_id >= :base AND post_id < :end ORDER BY 1""",
        "SELECT post_id - :base, account_id - :base FROM mentions WHERE post_id >= :base AND post_id < :end ORDER BY 1, 2",
        "SELECT post_id - :base, name FROM hashtags WHERE post_id >= :base AND post_id < :end ORDER BY 1, 2",
        "SELECT post_id - :base, author_id - :base, revision, options, hide_totals, tallies FROM polls WHERE post_id >= :base AND post_id < :end",
        """SELECT account_id - :base, conversation_id - :base, last_post_id - :base, read_id FROM conversations
           WHERE account_id >= :base AND account_id < :end ORDER BY 1, 2""",
        """SELECT owner_id - :base, entry_id - :base, booster_id FROM feed_entries
           WHERE owner_id >= :base AND owner_id < :end ORDER BY 1, 2""",
        "SELECT account_id - :base, statuses FROM profile_counts WHERE account_id >= :base AND account_id < :end AND statuses <> 0 ORDER BY 1",
        "SELECT post_id - :base, replies FROM post_counts WHERE post_id >= :base AND post_id < :end AND replies <> 0 ORDER BY 1",
    ]
    return [await world.rows(statement, **window) for statement in statements]


orders = st.permutations(range(len(story(0)))).flatmap(
    lambda order: st.lists(st.sampled_from(order), max_size=8).map(lambda repeated: [*order, *repeated])
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(order=orders)
async def test_any_order_ends_in_the_same(world: "World", order: list[int]) -> None:
    ends = []
    for telling in (range(len(story(0))), order):
        base = next(_bases)
        events = story(base)
        await people(world, base)
        await world.apply(*(events[number] for number in telling))
        ends.append(await told(world, base))
    assert ends[1] == ends[0]
