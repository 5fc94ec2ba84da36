"""Which language a text is in, told by py3langid; its model lives in this process only (about 60 MB)."""

import re
from functools import cache
from typing import Any, Final

from py3langid.langid import MODEL_FILE, LanguageIdentifier

_NOISE: Final = re.compile(r"https?://\S+|[@#]\w+|[\d_]+")
_ENOUGH_LETTERS: Final = 12
_SURE: Final = 0.8


@cache
def _identifier() -> Any:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def load() -> None:
    """Read the model now (0.8 s), so that the first post needn't wait for it."""
    _identifier()


def detect(plain: str) -> str | None:
    """Return the ISO 639-1 code, or None when the words are too few or too ambiguous."""
    words = _NOISE.sub(" ", plain)
    letters = sum(1 for character in words if character.isalpha())
    if letters == 0 or (letters < _ENOUGH_LETTERS and words.isascii()):
        return None
    language, probability = _identifier().classify(words)
    return str(language) if probability >= _SURE else None
