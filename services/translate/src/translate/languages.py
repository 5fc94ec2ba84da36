"""Codes of languages: people and detectors have their own, translators know others for the same."""

from typing import Final

ALIASES: Final = {
    "zh": "zh-Hans",
    "zh-tw": "zh-Hant",
    "zh-hk": "zh-Hant",
    "zh-mo": "zh-Hant",
    "no": "nb",
    "nn": "nb",
    "sr": "sr-Cyrl",
    "sh": "sr-Latn",
    "mn": "mn-Cyrl",
    "tl": "fil",
    "iw": "he",
    "in": "id",
    "ku": "kmr",
}
"""What Microsoft Translator calls languages that ISO 639, browsers or fastText's detector call otherwise. It has no alias of an alias."""

_APART: Final = ("fr-ca", "pt-pt", "zh-Hans", "zh-Hant", "sr-Cyrl", "sr-Latn", "mn-Cyrl", "mn-Mong", "iu-Latn", "tlh-Latn", "tlh-Piqd")
_REGIONAL: Final = {code.lower(): code for code in _APART}


def known_as(language: str) -> str:
    """The code by which translators know a language: of regions and scripts only those that make a difference to them."""
    code = language.lower()
    base = code.split("-")[0]
    return _REGIONAL.get(code) or ALIASES.get(code) or ALIASES.get(base) or base
