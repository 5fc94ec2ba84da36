"""What the viewer's filters make of a post on a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Filtered:
    """Whether a post is left out; the titles of filters that fold it, and of those that fold its pictures."""

    hidden: bool
    folding: list[str]
    blurring: list[str]


def filtered(status: Mapping[str, Any], context: str, *, opened: bool = False) -> Filtered:
    """Read the FilterResults of a Status in a context (`home`, `notifications`, `public`, `thread`, `account`; no filter holds in others).

    What somebody `opened` on purpose isn't left out but folded. An action that isn't known counts as `warn`, as the API wants it.
    """
    found = [result["filter"] for result in status.get("filtered", ()) if context in result["filter"]["context"]]
    by_action: dict[str, list[str]] = {"hide": [], "warn": [], "blur": []}
    for one in found:
        by_action.get(one["filter_action"], by_action["warn"]).append(one["title"])
    hiding = by_action["hide"]
    return Filtered(bool(hiding) and not opened, [*hiding, *by_action["warn"]], by_action["blur"])
