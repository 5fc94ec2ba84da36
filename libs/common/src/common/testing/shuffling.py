"""Deliveries as Kafka may make them after faults: each event at least once, in any order, alone or several together.

Tests of every consumer tell a story in such an order and compare where it ends with where it ends told once and in order.
`--hypothesis-profile=chaos` tries a thousand orders, and others every time; the usual profile a few dozen, always the same ones.
"""

from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Telling = list[list[int]]
"""Batches of places in a story, in the order in which they are delivered."""

_Test = Callable[..., Coroutine[Any, Any, None]]
_AGAIN: Final = 8
"""At most so many deliveries are repetitions."""

_MOST_CUTS: Final = 5
_FIXTURES_ARE_SHARED: Final = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def tellings(length: int) -> st.SearchStrategy[Telling]:
    """A story of so many events, each at least once, in any order and cut into one to six batches."""
    again = st.lists(st.integers(0, length - 1), max_size=_AGAIN)
    orders = again.flatmap(lambda repeated: st.permutations([*range(length), *repeated]))
    cuts = st.sets(st.integers(1, length - 1), max_size=_MOST_CUTS)
    return st.builds(_cut, orders, cuts)


def in_any_order(length: int) -> Callable[[_Test], Callable[..., None]]:
    """Give a test its `telling`, many times. Fixtures stay the same from one to the next: each must undo what it did, or use ids of its own."""

    def decorate(test: _Test) -> Callable[..., None]:
        return settings(deadline=None, suppress_health_check=_FIXTURES_ARE_SHARED)(given(telling=tellings(length))(test))

    return decorate


def _cut(order: list[int], cuts: set[int]) -> Telling:
    places = [0, *sorted(cuts), len(order)]
    return [order[start:end] for start, end in pairwise(places)]
