"""What pages make of the FilterResults of a post."""

from typing import Any

import pytest
from gateway.web.filtering import Filtered, filtered


def status(*filters: tuple[str, str, list[str]]) -> dict[str, Any]:
    """A Status that filters match: title, action, contexts."""
    return {
        "filtered": [
            {"filter": {"title": title, "filter_action": action, "context": contexts}, "keyword_matches": ["x"], "status_matches": []}
            for title, action, contexts in filters
        ]
    }


def test_only_filters_of_the_pages_context_count() -> None:
    marked = status(("tea", "warn", ["home", "thread"]), ("milk", "hide", ["public"]), ("cups", "blur", ["home"]))
    assert filtered(marked, "home") == Filtered(False, ["tea"], ["cups"])
    assert filtered(marked, "thread") == Filtered(False, ["tea"], [])
    assert filtered(marked, "public") == Filtered(True, ["milk"], [])
    assert filtered(marked, "") == filtered(marked, "account") == Filtered(False, [], [])


def test_what_was_opened_on_purpose_is_folded_not_left_out() -> None:
    assert filtered(status(("tea", "hide", ["thread"])), "thread", opened=True) == Filtered(False, ["tea"], [])


@pytest.mark.parametrize("plain", [{}, {"filtered": []}])
def test_who_has_no_filters_sees_everything(plain: dict[str, Any]) -> None:
    assert filtered(plain, "home") == Filtered(False, [], [])


def test_an_action_that_is_not_known_counts_as_a_warning() -> None:
    assert filtered(status(("tea", "whisper", ["home"])), "home") == Filtered(False, ["tea"], [])
