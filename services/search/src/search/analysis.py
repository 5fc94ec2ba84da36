"""Text as terms: how words are told apart, folded and stemmed, the same for what is indexed and for what is asked.

It happens here and not in Elasticsearch: see docs/decisions/0016-analysis-in-search.md.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import regex
from Stemmer import Stemmer

_UNSPACED: Final = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー々\u3099\u309a\uff70\uff9e\uff9f"
"""Scripts that put no spaces between words, or hang particles on them: Korean."""
_TOKEN: Final = regex.compile(rf"(?P<run>[{_UNSPACED}]+)|(?:(?![{_UNSPACED}])[\p{{L}}\p{{M}}\p{{N}}])+")
_ACCENTS: Final = regex.compile(r"[\u0300-\u036f]+")
_UNDIVIDED: Final = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
"""Letters with strokes, and joined ones: Unicode doesn't divide them into a letter and an accent."""
_LONGEST: Final = 100
"""Signs of a word that count; Lucene takes no terms beyond 32 KB."""

_STEMMERS: Final = {"en": Stemmer("english"), "de": Stemmer("german"), "es": Stemmer("spanish")}
STEMMED: Final = tuple(_STEMMERS)
"""Languages whose words are found in other forms of theirs."""

_COMMON: Final = frozenset(
    "a an and are as at be but by for from has have he i in is it its not of on or our she so that the their there they this to was we were"
    " what when which who will with you your"
    " aber als am an auch auf aus bei bin bis das dass dem den der des die du ein eine einem einen einer er es für hat ich ihr im in ist mit"
    " nach nicht noch oder sich sie sind so und vom von vor was wie wir zu zum zur"
    " al como con de del el ella en es está esta este fue ha la las le les lo los me mi no nos o para pero por que se si sin su sus te tu"
    " un una y ya".split()
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, or a run of a script without spaces; `start` and `end` are its place in the text."""

    start: int
    end: int
    plain: str
    """In lower case, accents kept: what stemmers want."""
    folded: str
    unspaced: bool

    @property
    def common(self) -> bool:
        """Whether it says so little that a post needn't have it to be found: `the`, and what an apostrophe cuts off."""
        return self.plain in _COMMON or (len(self.folded) == 1 and self.folded.isascii() and self.folded.isalpha())


def tokens(text: str) -> Iterator[Token]:
    """The words of a text, in their order."""
    for found in _TOKEN.finditer(text):
        plain = unicodedata.normalize("NFC", found[0].lower())[:_LONGEST]
        yield Token(found.start(), found.end(), plain, fold(plain), unspaced=found["run"] is not None)


def fold(word: str) -> str:
    """Without case, accents and differences of width: `Zürich` and `ZURICH` are one."""
    divided = unicodedata.normalize("NFKD", word.casefold().translate(_UNDIVIDED))
    return unicodedata.normalize("NFC", _ACCENTS.sub("", divided))


def grams(run: str) -> list[str]:
    """A run of a script without spaces as overlapping pairs of signs, or the one sign that it is."""
    return [one + other for one, other in pairwise(run)] or [run]


def stems(token: Token, language: str | None) -> list[str]:
    """The word's stem as `en:garden`; in each stemmed language if it isn't known which one it is in, in none if it is another."""
    known = (language or "").split("-")[0]
    spoken = [known] if known else STEMMED
    return [f"{name}:{fold(_STEMMERS[name].stemWord(token.plain))}" for name in spoken if name in _STEMMERS and not token.unspaced]


def terms(text: str, language: str | None) -> dict[str, list[str]]:
    """The fields under which a text is found: its `words` (of unspaced runs, signs and pairs of signs), their `pairs` and `stems`."""
    found = list(tokens(text))
    words: set[str] = set()
    for token in found:
        words.update([*token.folded, *grams(token.folded)] if token.unspaced else [token.folded])
    return {
        "words": sorted(words),
        "pairs": sorted({f"{one.folded} {other.folded}" for one, other in pairwise(found) if not (one.unspaced or other.unspaced)}),
        "stems": sorted({stem for token in found for stem in stems(token, language)}),
    }
