"""Rules of translating and their named errors."""

import hashlib
import re
from typing import Final

from common.errors import DomainError, Forbidden, Unavailable

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


class BudgetSpent(ProviderFailed):
    """the translation service failed: today's budget is used up"""

    code = "translation_budget_spent"


class CannotTranslate(Forbidden):
    """This post can't be translated"""

    code = "cannot_translate"


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
    """Return the wanted language; raises `UnknownLanguage`, `SameLanguage`."""
    if not LANGUAGE.fullmatch(target):
        raise UnknownLanguage
    if source is not None and target.split("-")[0] == source.split("-")[0]:
        raise SameLanguage
    return target
