"""Conversations as readers follow them: who answers whom, not deeper than a page can show."""

from dataclasses import dataclass, field
from typing import Any, Final

LEVELS: Final = 3
"""How deep answers stand inside each other; what is deeper stands beside what it answers."""
FEW: Final = 5
"""Longer branches are folded at first."""


@dataclass(slots=True)
class Branch:
    """An answer and what was answered to it."""

    post: Any
    level: int
    answers: list["Branch"] = field(default_factory=list)
    siblings: list["Branch"] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many answers there are below, at any depth."""
        return sum(1 + answer.size for answer in self.answers)

    @property
    def short(self) -> bool:
        return self.size <= FEW


def branches(status: Any, descendants: list[Any]) -> list[Branch]:
    """The answers to a post as trees by time, those first with which its author goes on. Where one in between can't be seen, what answers it
    stands right below the post."""
    roots: list[Branch] = []
    known: dict[str, Branch] = {}
    for post in sorted(descendants, key=lambda post: int(post["id"])):
        parent = known.get(post["in_reply_to_id"] or "")
        if parent is None:
            branch = Branch(post, 1, siblings=roots)
        elif parent.level == LEVELS:
            branch = Branch(post, LEVELS, siblings=parent.siblings)
        else:
            branch = Branch(post, parent.level + 1, siblings=parent.answers)
        branch.siblings.append(branch)
        known[post["id"]] = branch
    author = status["account"]["id"]
    return sorted(roots, key=lambda branch: branch.post["account"]["id"] != author or branch.post["in_reply_to_id"] != status["id"])
