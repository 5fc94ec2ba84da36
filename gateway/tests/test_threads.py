"""Who answers whom, as trees that a page can show."""

from typing import Any

from gateway.web.threads import LEVELS, branches

ROOT = {"id": "1", "account": {"id": "a"}, "in_reply_to_id": None}


def answer(number: int, to: int, account: str = "b") -> dict[str, Any]:
    return {"id": str(number), "account": {"id": account}, "in_reply_to_id": str(to)}


def test_the_authors_own_continuation_comes_first_then_answers_by_time() -> None:
    found = branches(ROOT, [answer(4, 1, "a"), answer(2, 1), answer(3, 2), answer(5, 1)])
    assert [branch.post["id"] for branch in found] == ["4", "2", "5"]
    assert [below.post["id"] for below in found[1].answers] == ["3"]


def test_what_answers_something_that_is_not_seen_stands_below_the_post() -> None:
    assert [branch.post["id"] for branch in branches(ROOT, [answer(7, 6), answer(8, 7)])] == ["7"]


def test_a_long_chain_becomes_flat_and_loses_nothing() -> None:
    chain = [answer(number, number - 1) for number in range(2, 5_002)]
    (branch,) = branches(ROOT, chain)
    assert branch.size == len(chain) - 1
    assert not branch.short
    depth, below = 1, branch
    while below.answers:
        depth, below = depth + 1, below.answers[0]
    assert depth == LEVELS
    assert [flat.post["id"] for flat in branch.answers[0].answers] == [post["id"] for post in chain[2:]]
