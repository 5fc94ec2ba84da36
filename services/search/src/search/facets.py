"""What a page of results can be narrowed by, and how many posts each choice would leave.

A group's counts are of what all the other groups leave, so that one can change one's mind; those of `has`, where choices add up, are of what
the page and that choice leave.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

WITHIN: Final = {"day": "now-1d", "week": "now-7d", "month": "now-30d", "year": "now-365d"}
"""How old a post may be, and since when that is, as Elasticsearch has it."""
HAS: Final = ("media", "poll", "link")
_LANGUAGES: Final = 10


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen of each group."""

    within: str | None = None
    language: str | None = None
    has: frozenset[str] = frozenset()

    def filters(self, but: str = "") -> list[dict[str, Any]]:
        """As Elasticsearch filters, without those of one group."""
        groups: dict[str, list[dict[str, Any]]] = {
            "within": [_since(self.within)] if self.within else [],
            "language": [{"term": {"language": self.language}}] if self.language else [],
            "has": [{"term": {what: True}} for what in sorted(self.has)],
        }
        return [a_filter for group, filters in groups.items() if group != but for a_filter in filters]


def counting(chosen: Chosen) -> dict[str, Any]:
    """The aggregations that count."""
    counts: dict[str, tuple[str, dict[str, Any]]] = {
        "within": ("within", {"filters": {"filters": {name: _since(name) for name in WITHIN}}}),
        "language": ("language", {"terms": {"field": "language", "size": _LANGUAGES}}),
        "has": ("", {"filters": {"filters": {name: {"term": {name: True}} for name in HAS}}}),
    }
    return {
        name: {"filter": {"bool": {"filter": chosen.filters(but)}}, "aggs": {"posts": counted}} for name, (but, counted) in counts.items()
    }


def counted(aggregations: Mapping[str, Any], chosen: Chosen) -> dict[str, dict[str, int]]:
    """Posts by group and choice; choices that would leave none aren't told of, unless they were chosen."""
    told = {
        "within": {name: bucket["doc_count"] for name, bucket in aggregations["within"]["posts"]["buckets"].items()},
        "language": {bucket["key"]: bucket["doc_count"] for bucket in aggregations["language"]["posts"]["buckets"]},
        "has": {name: bucket["doc_count"] for name, bucket in aggregations["has"]["posts"]["buckets"].items()},
    }
    kept = {"within": {chosen.within}, "language": {chosen.language}, "has": chosen.has}
    for group, names in kept.items():
        for name in names:
            if name:
                told[group].setdefault(name, 0)
    return {group: {name: count for name, count in counts.items() if count or name in kept[group]} for group, counts in told.items()}


def _since(within: str) -> dict[str, Any]:
    return {"range": {"created_at": {"gte": WITHIN[within]}}}
