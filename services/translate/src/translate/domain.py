"""Rules of translating and their named errors."""

import hashlib
import re
from typing import Final

from common.errors import DomainError, Forbidden, Unavailable

from translate.languages import known_as

LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")


class NotConfigured(Unavailable):
    """the translation service is not configured"""

    code = "translation_not_configured"


class ProviderFailed(Unavailable):
    """the translation service failed"""

    code = "translation_failed"


class AnswerLost(ProviderFailed):
    """the translation service failed"""

    # It may have translated, and charges for it then.


class TooLong(ProviderFailed):
    """the translation service failed: the post is too long for it"""

    code = "translation_too_long"


class BudgetSpent(ProviderFailed):
    """the translation service failed: today's budget is used up"""

    code = "translation_budget_spent"


class CannotTranslate(Forbidden):
    """This post can't be translated"""

    code = "cannot_translate"


class UnknownSource(Forbidden):
    """The language that this post is in can't be translated"""

    code = "unsupported_source_language"


class UnknownLanguage(DomainError):
    """Validation failed: this language isn't supported"""

    code = "unsupported_language"


class SameLanguage(Forbidden):
    """This post is in that language already"""

    code = "same_language"


def text_hash(text: str) -> bytes:
    """What a translation is kept by: the same text is translated once, whoever wrote it."""
    return hashlib.sha256(text.encode()).digest()


def check_target(target: str, source: str | None) -> str:
    """Return the wanted language by the code that translators know it by; raises `UnknownLanguage`, `SameLanguage`."""
    if not LANGUAGE.fullmatch(target):
        raise UnknownLanguage
    if source is not None and same(target, source):
        raise SameLanguage
    return known_as(target)


def same(one: str, other: str) -> bool:
    """Whether two codes mean one language, whatever its region or script."""
    return known_as(one).split("-")[0] == known_as(other).split("-")[0]
