"""Which words of a found text were looked for, and the text with them marked."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from rapidfuzz.distance import OSA

from search.analysis import Token, grams, stems, tokens

_ONE: Final = 3
_TWO: Final = 8
"""From how many signs on a word may have one typo, and two."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A word that is looked for: the token, its stems, and how many typos are forgiven."""

    token: Token
    stems: frozenset[str]
    typos: int

    def is_in(self, token: Token, its_stems: Sequence[str]) -> bool:
        """Whether this is the word itself, or another form of it."""
        return token.folded == self.token.folded or not self.stems.isdisjoint(its_stems)

    def is_like(self, token: Token) -> bool:
        """Whether this may be meant: as Elasticsearch's `fuzzy` has it, with its first letter kept."""
        ours, other = self.token.folded, token.folded
        return self.typos > 0 and ours[0] == other[0] and OSA.distance(ours, other, score_cutoff=self.typos) <= self.typos


@dataclass(frozen=True, slots=True)
class Marked:
    """A text as safe HTML with `<em>` around what was looked for, and the words in it that are only like one of those."""

    html: str
    alike: frozenset[str]


def asked(text: str, language: str | None = None, *, typos: bool = True) -> list[Asked]:
    """The words of a query, in the language that it asks for."""
    return [
        Asked(token, frozenset(stems(token, language)), forgiven(token.folded) if typos and not token.unspaced else 0)
        for token in tokens(text)
    ]


def asked_exactly(text: str) -> list[Asked]:
    """The words of a phrase, of which no other forms are wanted."""
    return [Asked(token, frozenset(), 0) for token in tokens(text)]


def forgiven(word: str) -> int:
    """How many typos: fewer than Elasticsearch's `AUTO`, by which `garden` is like `green`, and none in numbers, where each makes another one."""
    if len(word) < _ONE or word.isdecimal():
        return 0
    return 1 if len(word) < _TWO else 2


def mark(text: str, words: Sequence[Asked], language: str | None) -> Marked:
    """Mark the words, and their forms in this language (any, if it isn't known)."""
    places: list[tuple[int, int]] = []
    alike: set[str] = set()
    runs = {gram for word in words if word.token.unspaced for gram in grams(word.token.folded)}
    spaced = [word for word in words if not word.token.unspaced]
    for token in tokens(text):
        its_stems = stems(token, language)
        if token.unspaced:
            places += _in_run(token, runs)
        elif any(word.is_in(token, its_stems) for word in spaced):
            places.append((token.start, token.end))
        elif any(word.is_like(token) for word in spaced):
            places.append((token.start, token.end))
            alike.add(text[token.start : token.end].lower())
    return Marked(_with_marks(text, _joined(places)), frozenset(alike))


def _in_run(token: Token, runs: set[str]) -> Iterable[tuple[int, int]]:
    if token.end - token.start != len(token.folded):  # folding joined signs: they can't be told apart any more
        return [(token.start, token.end)] if any(gram in token.folded for gram in runs) else []
    folded = token.folded
    return [(token.start + at, token.start + at + size) for at in range(len(folded)) for size in (1, 2) if folded[at : at + size] in runs]


def _joined(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in places:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _with_marks(text: str, places: list[tuple[int, int]]) -> str:
    cuts = [0, *(cut for place in places for cut in place), len(text)]
    parts = [html.escape(text[start:end]) for start, end in pairwise(cuts)]
    return "".join(f"<em>{part}</em>" if number % 2 else part for number, part in enumerate(parts))
